/** `GET /openapi.json`: the document, printed from the very schemas that check requests. */
import { OpenAPIHono, z } from '@hono/zod-openapi'
import { chatChunk, chatRequest, chatResponse } from './chat.ts'
import { completionRequest, completionResponse } from './completions.ts'
import { healthResponse, infoResponse, modelsResponse, openaiCard } from './facts.ts'
import { generateFrame, generateRequest, generateResponse } from './generate.ts'
import { jwksResponse, tokenError, tokenRequest, tokenResponse } from './oauth.ts'
import { statsResponse } from './stats.ts'
import {
  detokenizeRequest,
  detokenizeResponse,
  tokenizeRequest,
  tokenizeResponse,
} from './tokenize.ts'

interface Operation {
  method: 'get' | 'post'
  path: string
  summary: string
  request?: z.ZodType
  /** The request is a form and no JSON. */
  isForm?: true
  response: z.ZodType
  /** Schema of one event, where the answer can be streamed. */
  frame?: z.ZodType
  /** Where errors have a shape of their own. */
  error?: z.ZodType
}

const errorResponse = z
  .object({
    error: z.object({
      type: z.string(),
      code: z.string(),
      message: z.string(),
      param: z.string().nullable(),
      request_id: z.string(),
    }),
  })
  .openapi('Error')

const probe = z.object({ status: z.string() })
const chat = { request: chatRequest, response: chatResponse, frame: chatChunk }

/** Every endpoint; a test holds this list against the app's routes. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/generate',
    summary: 'Continue a text',
    request: generateRequest,
    response: generateResponse,
    frame: generateFrame,
  },
  { method: 'post', path: '/chat/completions', summary: 'Answer a conversation', ...chat },
  { method: 'post', path: '/v1/chat/completions', summary: 'Answer a conversation', ...chat },
  {
    method: 'post',
    path: '/v1/completions',
    summary: 'Continue a text or ids',
    request: completionRequest,
    response: completionResponse,
    frame: completionResponse,
  },
  {
    method: 'post',
    path: '/tokenize',
    summary: 'Text to token ids',
    request: tokenizeRequest,
    response: tokenizeResponse,
  },
  {
    method: 'post',
    path: '/detokenize',
    summary: 'Token ids to text',
    request: detokenizeRequest,
    response: detokenizeResponse,
  },
  { method: 'get', path: '/health', summary: 'State of the server', response: healthResponse },
  { method: 'get', path: '/health/live', summary: 'The process lives', response: probe },
  { method: 'get', path: '/health/ready', summary: 'Requests are welcome', response: probe },
  { method: 'get', path: '/info', summary: 'The loaded model', response: infoResponse },
  { method: 'get', path: '/models', summary: 'The served models', response: modelsResponse },
  {
    method: 'get',
    path: '/models/{id}/stats',
    summary: 'What a model has answered so far',
    response: statsResponse,
  },
  {
    method: 'post',
    path: '/oauth/token',
    summary: 'An access token for a client',
    request: tokenRequest,
    isForm: true,
    response: tokenResponse,
    error: tokenError,
  },
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'The keys to check our tokens with',
    response: jwksResponse,
  },
  { method: 'get', path: '/v1/models', summary: 'The served models', response: modelsResponse },
  { method: 'get', path: '/v1/models/{id}', summary: 'One served model', response: openaiCard },
]

/** The OpenAPI 3.1 document. */
export function openApiDocument(version: string): object {
  const { openAPIRegistry, getOpenAPI31Document } = new OpenAPIHono()
  for (const operation of OPERATIONS) {
    const { method, path, summary, request, response, frame, error = errorResponse } = operation
    const type = operation.isForm ? 'application/x-www-form-urlencoded' : 'application/json'
    const content = {
      'application/json': { schema: response },
      ...(frame ? { 'text/event-stream': { schema: frame } } : {}),
    }
    openAPIRegistry.registerPath({
      method,
      path,
      summary,
      request: {
        ...(path.includes('{id}') ? { params: z.object({ id: z.string() }) } : {}),
        ...(request ? { body: { required: true, content: { [type]: { schema: request } } } } : {}),
      },
      responses: {
        200: { description: 'Success', content },
        default: {
          description: 'Error',
          content: { 'application/json': { schema: error } },
        },
      },
    })
  }
  return getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'illuminator', version } })
}
