// The live board in a real browser, against a server that is running and has life on it:
//
//   BASE_URL=http://127.0.0.1:8080 npm test
//
// `cargo run -p web --example board -- 8080` is such a server. Screenshots go to screenshots/.

import AxeBuilder from '@axe-core/playwright'
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'

const BASE_URL = process.env.BASE_URL ?? 'http://127.0.0.1:8080'
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const SCREENSHOTS = new URL('./screenshots/', import.meta.url).pathname
const WALL = { width: 1920, height: 1080 }
const LAPTOP = { width: 1280, height: 800 }
/** Calls are expected to move within this time. */
const LIFE_MS = 60_000

let browser

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true })
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
})

after(() => browser?.close())

/** Runs `body` with an open board and fails if the page complained about anything. */
async function withBoard(options, body) {
  const context = await browser.newContext({ viewport: WALL, colorScheme: 'light', ...options })
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.addInitScript(() => {
    window.violations = []
    // A feed that a test can silence, however busy the server is.
    window.muted = false
    window.EventSource = class extends window.EventSource {
      addEventListener(type, listener) {
        super.addEventListener(type, (event) => window.muted || listener(event))
      }
    }
    document.addEventListener('securitypolicyviolation', (event) => {
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`)
    })
  })
  try {
    await page.goto(BASE_URL)
    await page.locator('[data-pool]').nth(1).waitFor()
    await body(page, context)
    assert.deepEqual(await page.evaluate(() => window.violations), [], 'content security policy')
    assert.deepEqual(complaints, [], 'console')
  } finally {
    await context.close()
  }
}

test('tiles, lawyers and calls are shown, and they move without a reload', () =>
  withBoard({}, async (page) => {
    assert.match(await page.locator('h1').innerText(), /12348 公共法律服务热线/)
    const board = await (await fetch(`${BASE_URL}/api/board`)).json()
    assert.equal(await page.locator('[data-pool]').count(), board.pools.length + 1)
    assert.equal(await page.locator('[data-agent]').count(), board.agents.length)
    const figures = () => page.locator('.tile .num').allInnerTexts().then((texts) => texts.join(' '))
    const before = await figures()
    await page.waitForFunction(
      (was) => [...document.querySelectorAll('.tile .num')].map((node) => node.innerText).join(' ') !== was,
      before,
      { timeout: LIFE_MS },
    )
    await page.screenshot({ path: `${SCREENSHOTS}wall-light.png` })
  }))

test('both rates show their parts, and the formula on focus', () =>
  withBoard({}, async (page) => {
    const rate = page.locator('.rate').first()
    assert.match(await rate.locator('.rate-counts').innerText(), /^\d+ \/ \d+ 通$/)
    assert.equal(await rate.getByRole('tooltip').isVisible(), false)
    await rate.focus()
    assert.match(await rate.getByRole('tooltip').innerText(), /接通率 = .*÷/)
  }))

test('English can be switched on, and is remembered', () =>
  withBoard({ colorScheme: 'dark' }, async (page) => {
    await page.getByTestId('language').click()
    assert.match(await page.locator('h1').innerText(), /Public Legal Services/)
    assert.equal(await page.locator('html').getAttribute('lang'), 'en')
    await page.reload()
    await page.locator('[data-pool]').nth(1).waitFor()
    assert.match(await page.locator('h1').innerText(), /Public Legal Services/)
    await page.screenshot({ path: `${SCREENSHOTS}wall-dark-english.png` })
  }))

test('no caller is shown in the clear', () =>
  withBoard({}, async (page) => {
    assert.doesNotMatch(await page.locator('body').innerText(), /1\d{10}/)
  }))

test('a pool is closed by hand and goes by its hours again', () =>
  withBoard({}, async (page) => {
    const tile = page.locator('[data-pool=city]')
    const byHand = tile.getByTestId('by-hand')
    await tile.locator('.tile-name').click()
    await tile.locator('select').selectOption('4')
    await tile.locator('[data-override=closed]').click()
    await byHand.waitFor()
    assert.match(await byHand.innerText(), /^已人工关闭，至 /)
    await page.screenshot({ path: `${SCREENSHOTS}closed-by-hand.png` })
    const { violations } = await new AxeBuilder({ page }).analyze()
    assert.deepEqual(violations.map(({ id }) => id), [])
    await tile.locator('[data-override=by_hours]').click()
    await byHand.waitFor({ state: 'detached' })
  }))

test('closing a whole region asks once more', () =>
  withBoard({}, async (page) => {
    const tile = page.locator('[data-pool="*"]')
    await tile.locator('.tile-name').click()
    const close = tile.locator('[data-override=closed]')
    await close.click()
    assert.equal(await close.innerText(), '确定全部关闭？')
    assert.equal(await page.getByTestId('by-hand').count(), 0, 'nothing is closed yet')
    await close.click()
    await page.locator('[data-pool=city]').getByTestId('by-hand').waitFor()
    await tile.locator('[data-override=by_hours]').click()
    await page.getByTestId('by-hand').first().waitFor({ state: 'detached' })
  }))

test('when the feed falls silent the page says so and shows no number as current', { timeout: 60_000 }, () =>
  withBoard({}, async (page) => {
    // Nothing is heard any more, and the clock of the page is moved past the limit.
    await page.evaluate(() => {
      window.muted = true
      const real = Date.now
      Date.now = () => real() + 13_000
    })
    const banner = page.getByRole('alert')
    await banner.waitFor({ timeout: 5_000 })
    assert.match(await banner.innerText(), /数据已过期/)
    assert.equal(await page.locator('[data-testid=rate]').first().innerText(), '—')
    assert.deepEqual(new Set(await page.locator('[data-testid=waiting]').allInnerTexts()), new Set(['—']))
    await page.screenshot({ path: `${SCREENSHOTS}stale.png` })
    await page.evaluate(() => (window.muted = false))
    await banner.waitFor({ state: 'detached', timeout: 20_000 })
  }))

for (const [name, viewport] of Object.entries({ wall: WALL, laptop: LAPTOP })) {
  for (const colorScheme of ['light', 'dark']) {
    test(`nothing hinders anybody: ${name}, ${colorScheme}`, () =>
      withBoard({ viewport, colorScheme }, async (page) => {
        const tooWide = () => document.documentElement.scrollWidth > document.documentElement.clientWidth
        assert.equal(await page.evaluate(tooWide), false, 'the page scrolls sideways')
        const { violations } = await new AxeBuilder({ page }).analyze()
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(' | ')}`)
        assert.deepEqual(found, [])
        await page.screenshot({ path: `${SCREENSHOTS}${name}-${colorScheme}.png` })
      }))
  }
}
