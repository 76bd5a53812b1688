/** What every peer is given: ids of plain text, as the greedy ids after it have clear winners, and random ids do not. */

/** Ids of prompts for each scenario. */
export interface PromptIds {
  readonly short: readonly number[]
  readonly long: readonly number[]
  readonly many: readonly (readonly number[])[]
}

const SHORT_PROMPT = 32
const LONG_PROMPT = 512
const MANY = 8

/** @param tokenize ids of a text, without special tokens. Throws RangeError where the passages have too few ids. */
export function promptIds(tokenize: (text: string) => readonly number[]): PromptIds {
  const passages = PASSAGES.map((text) => tokenize(text))
  const first = (ids: readonly number[] | undefined, count: number): readonly number[] => {
    if (!ids || ids.length < count) throw new RangeError(`a passage has fewer than ${count} ids`)
    return ids.slice(0, count)
  }
  return {
    short: first(passages[0], SHORT_PROMPT),
    long: passages.flatMap((ids) => first(ids, LONG_PROMPT / MANY)),
    many: passages.map((ids) => first(ids, SHORT_PROMPT)),
  }
}

const PASSAGES = [
  'The capital of France is Paris, a city on the river Seine. It is known for its museums, its bridges and its bread. Every morning the shops open their doors before the sun is up, and people stand in line for a warm loaf. Later in the day the cafes fill with visitors who read, talk and watch the street. In the evening the lights of the tower can be seen from every hill around the city.',
  'Water boils at one hundred degrees Celsius at the level of the sea. On a high mountain the air is thinner, and so it boils at a lower temperature. That is why cooks who live in the mountains leave their beans on the fire for a longer time. A pot with a tight lid keeps the steam inside, the pressure rises, and the food is done sooner, with less wood and less time than before.',
  'A bicycle has two wheels, a frame, a chain and a pair of pedals. When the rider pushes the pedals, the chain turns the rear wheel and the bicycle moves forward. The brakes press against the rim and slow it down. To turn, the rider leans to one side and moves the bar. Children learn this in an afternoon, fall a few times, and then remember it for the rest of their lives.',
  'Once upon a time there was a small village at the edge of a deep forest. The people of the village were farmers, and they were afraid of the forest, because nobody who had gone into it had ever come back. One winter a girl lost her dog, and she followed its tracks in the snow, past the last field and the old stone wall, until she stood under the first tall trees.',
  'To make a good soup, begin with onions, carrots and celery, cut into small pieces. Heat a little oil in a large pot and cook the vegetables slowly until they are soft. Add water, salt, a bay leaf and the bones of a chicken, and let it simmer for two hours. Then take out the bones, add the meat and some noodles, and serve it hot with a piece of fresh bread and butter.',
  'The moon goes around the earth once in about four weeks. It shines because it reflects the light of the sun. When the earth stands between the sun and the moon, its shadow falls on the moon, and we see an eclipse. Long ago people were frightened by it and beat their drums. Today we can say to the minute when the next one will begin, how long it will last and where it can be seen.',
  'A computer program is a list of instructions. The machine reads them one after another and does what they say, very fast and without asking why. If an instruction is wrong, the result is wrong too, and so programmers spend much of their time looking for mistakes. A good test tells them early. It is small, it runs quickly, and when it fails it says plainly what was expected and what was found.',
  'The library opens at nine in the morning and closes at six in the evening. Visitors may read any book in the main hall, and members may take up to five books home for three weeks. Please be quiet in the reading room, and do not bring food or drinks. If you need help to find a book, ask the people at the desk near the entrance: they know the shelves better than any catalogue does.',
]
