// What a person at the board asks of the switch. Whether it is done, the live feed tells.

import type { components } from './api'

type PriorityRequest = components['schemas']['PriorityRequest']

/** Puts a waiting call before all others, or back to where its arrival places it; false if that was refused. */
export async function prioritise(call: string, urgent: boolean): Promise<boolean> {
  const body: PriorityRequest = { urgent }
  return post(`/api/calls/${encodeURIComponent(call)}/priority`, body)
}

async function post(path: string, body: unknown): Promise<boolean> {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    return answer.ok
  } catch {
    return false
  }
}
