/** The types of a conversation, as callers of the engine write it. */
import type { GenerateOptions } from './api.ts'

/** A tool that the model asked for, in OpenAI's form. */
export interface ToolCall {
  id?: string
  type?: 'function'
  function: {
    name: string
    /** As JSON, or as what that says: templates get the object. */
    arguments: string | Readonly<Record<string, unknown>>
  }
}

/** What the model's chat template has no place for, it leaves out. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or `tool` for what a tool answered. */
  role: string
  content: string
  name?: string
  /** An assistant's. */
  tool_calls?: readonly ToolCall[]
  /** A tool's: the id of the call that it answers. */
  tool_call_id?: string
  /** What an assistant thought before it answered. */
  reasoning_content?: string
}

export interface ChatOptions extends GenerateOptions {
  /** Tools that the model may ask for, each `{type: 'function', function: {name, description, parameters}}`. */
  tools?: readonly unknown[]
  /** Further variables of the chat template, such as `enable_thinking`, `reasoning_effort` or `documents`. */
  templateVariables?: Readonly<Record<string, unknown>>
}
