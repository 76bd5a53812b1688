/** Which models there are, and how their loads went: read when somebody scrapes. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { ServedModel } from '../models/served-model.ts'

const STATES = ['loaded', 'loading', 'unloaded'] as const

/** @param models as of now */
export function addModelMetrics(registry: Registry, models: () => readonly ServedModel[]): void {
  const registers = [registry]
  new Gauge({
    name: 'illuminator_models',
    help: 'Models that can be asked for, by state',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of STATES) {
        this.set({ state }, models().filter((model) => model.state === state).length)
      }
    },
  })
  counter('model_loads_total', 'Times a model was loaded', ({ loads }) => loads)
  counter('model_load_failures_total', 'Loads that failed', ({ failures }) => failures)
  counter('model_load_seconds_total', 'Time that loads took', ({ loadSeconds }) => loadSeconds)

  function counter(name: string, help: string, read: (model: ServedModel) => number): void {
    new Counter({
      name: `illuminator_${name}`,
      help,
      labelNames: ['model'],
      registers,
      collect() {
        // The models count; here their count is only shown.
        this.reset()
        for (const model of models())
          if (model.id !== null) this.inc({ model: model.id }, read(model))
      },
    })
  }
}
