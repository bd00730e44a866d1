// What a person at the board asks of the switch. Whether it is done, the live feed tells.

import type { components } from './api'

export type DutyRequest = components['schemas']['DutyRequest']
export type Reason = components['schemas']['RequestedReason']
export type OverrideRequest = components['schemas']['OverrideRequest']
type PriorityRequest = components['schemas']['PriorityRequest']

/** In the order in which they are offered. */
export const REASONS: Reason[] = ['short_break', 'meal', 'meeting', 'training', 'fieldwork', 'other']

/** False if that was refused, as with all orders. */
export async function setDuty(agent: number, request: DutyRequest): Promise<boolean> {
  return post(`/api/agents/${agent}/duty`, request)
}

/** Opens or closes a pool by hand, whatever its hours say, or lets them count again. */
export async function overridePool(pool: string, request: OverrideRequest): Promise<boolean> {
  return post(`/api/pools/${encodeURIComponent(pool)}/override`, request)
}

/** The same for every pool of a region. */
export async function overrideRegion(region: string, request: OverrideRequest): Promise<boolean> {
  return post(`/api/regions/${encodeURIComponent(region)}/override`, request)
}

/** The form is saved. */
export async function endWrapUp(agent: number): Promise<boolean> {
  return post(`/api/agents/${agent}/wrap-up-done`)
}

export async function extendWrapUp(agent: number, by_s: number): Promise<boolean> {
  return post(`/api/agents/${agent}/wrap-up-extended`, { by_s })
}

/** Puts a waiting call before all others, or back to where its arrival places it; false if that was refused. */
export async function prioritise(call: string, urgent: boolean): Promise<boolean> {
  const body: PriorityRequest = { urgent }
  return post(`/api/calls/${encodeURIComponent(call)}/priority`, body)
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
