/** For tests beside code, which may import `test/` and not `bench/`. */
export { expandBf16 } from '../bench/expand-bf16.ts'
