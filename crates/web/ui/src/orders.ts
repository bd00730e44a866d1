// What a person at the board asks of the switch. Whether it is done, the live feed tells.

import type { components } from './api'

export type DutyRequest = components['schemas']['DutyRequest']
export type Reason = components['schemas']['RequestedReason']

/** In the order in which they are offered. */
export const REASONS: Reason[] = ['short_break', 'meal', 'meeting', 'training', 'fieldwork', 'other']

/** False if that was refused, as are the other two. */
export async function setDuty(agent: number, request: DutyRequest): Promise<boolean> {
  return post(`/api/agents/${agent}/duty`, request)
}

/** The form is saved. */
export async function endWrapUp(agent: number): Promise<boolean> {
  return post(`/api/agents/${agent}/wrap-up-done`)
}

export async function extendWrapUp(agent: number, by_s: number): Promise<boolean> {
  return post(`/api/agents/${agent}/wrap-up-extended`, { by_s })
}

async function post(path: string, body?: unknown): Promise<boolean> {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    return answer.ok
  } catch {
    return false
  }
}
