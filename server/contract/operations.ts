/**
 * Every operation of the API: its schemas, and the errors that it can give. The OpenAPI document is printed from this
 * list, and a test holds it against the app's routes.
 */
import { z } from '@hono/zod-openapi'
import { BATCH_OPERATIONS } from './batch-operations.ts'
import { chatChunk, chatRequest, chatResponse } from './chat.ts'
import { completionRequest, completionResponse } from './completions.ts'
import type { ApiErrorCode } from './errors.ts'
import { healthResponse, infoResponse, modelsResponse, openaiCard } from './facts.ts'
import { generateFrame, generateRequest, generateResponse } from './generate.ts'
import { jwksResponse, tokenError, tokenRequest, tokenResponse } from './oauth.ts'
import { GENERATION, type Operation, WORK } from './operation.ts'
import { statsResponse } from './stats.ts'
import {
  detokenizeRequest,
  detokenizeResponse,
  tokenizeRequest,
  tokenizeResponse,
} from './tokenize.ts'

const FACTS = ['loading'] as const satisfies readonly ApiErrorCode[]

const probe = z.object({ status: z.string() })
const chat = {
  method: 'post',
  summary: 'Answer a conversation',
  request: chatRequest,
  response: chatResponse,
  frame: chatChunk,
  errors: GENERATION,
} as const

/** What generates, tokens, and what the server tells of itself. */
const ANSWERS: readonly Operation[] = [
  {
    method: 'post',
    path: '/generate',
    summary: 'Continue a text',
    request: generateRequest,
    response: generateResponse,
    frame: generateFrame,
    errors: GENERATION,
  },
  { ...chat, path: '/chat/completions' },
  { ...chat, path: '/v1/chat/completions' },
  {
    method: 'post',
    path: '/v1/completions',
    summary: 'Continue texts or ids',
    request: completionRequest,
    response: completionResponse,
    frame: completionResponse,
    errors: GENERATION,
  },
  {
    method: 'post',
    path: '/tokenize',
    summary: 'Text to token ids',
    request: tokenizeRequest,
    response: tokenizeResponse,
    errors: [...WORK, 'model'],
  },
  {
    method: 'post',
    path: '/detokenize',
    summary: 'Token ids to text',
    request: detokenizeRequest,
    response: detokenizeResponse,
    errors: [...WORK, 'model'],
  },
  {
    method: 'get',
    path: '/health',
    summary: 'State of the server',
    response: healthResponse,
    others: { 503: healthResponse },
    errors: [],
  },
  {
    method: 'get',
    path: '/health/live',
    summary: 'The process lives',
    response: probe,
    errors: [],
  },
  {
    method: 'get',
    path: '/health/ready',
    summary: 'Requests are welcome',
    response: probe,
    others: { 503: probe },
    errors: [],
  },
  {
    method: 'get',
    path: '/info',
    summary: 'The loaded model',
    response: infoResponse,
    errors: FACTS,
  },
  {
    method: 'get',
    path: '/models',
    summary: 'The served models',
    response: modelsResponse,
    errors: FACTS,
  },
  {
    method: 'get',
    path: '/v1/models',
    summary: 'The served models',
    response: modelsResponse,
    errors: FACTS,
  },
  {
    method: 'get',
    path: '/v1/models/{id}',
    summary: 'One served model',
    response: openaiCard,
    errors: [...FACTS, 'model_not_found'],
  },
  {
    method: 'get',
    path: '/models/{id}/stats',
    summary: 'What a model was used for, and how it does',
    response: statsResponse,
    errors: [...FACTS, 'model_not_found', 'not_found'],
  },
]

const TOKENS: readonly Operation[] = [
  {
    method: 'post',
    path: '/oauth/token',
    summary: 'An access token for a client (OAuth 2.0, client_credentials)',
    request: tokenRequest,
    form: 'application/x-www-form-urlencoded',
    response: tokenResponse,
    others: { 400: tokenError, 401: tokenError },
    errors: ['payload_too_large', 'not_found'],
  },
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'The keys that access tokens can be checked with',
    response: jwksResponse,
    errors: ['not_found'],
  },
]

export const OPERATIONS: readonly Operation[] = [...ANSWERS, ...BATCH_OPERATIONS, ...TOKENS]
