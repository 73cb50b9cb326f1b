/**
 * What the gateway sends. Times are epoch milliseconds of stream time, prices in quote units.
 *
 * @typedef {{horizon: string, asOf: number, times: number[], mid: number[], bands: [number[], number[]][],
 *   reason: string | null}} Path A way to a horizon; bands of 50, 80 and 95%.
 * @typedef {{asOf: number, paths: Record<string, Path>, held?: Record<string, [number, number]>}} Fan
 * @typedef {{code: string, text: string, more: string}} Word
 * @typedef {{horizon: string, bounds: [number, number] | null, coverage: number | null, nominal: number | null,
 *   count: number, verdict: Word, skill: string | null, intervalSkill: number | null, extrapolated: boolean}} Trust
 * @typedef {{state: Word, trust: Word, model: string[], lastClose: number | null, horizons: Trust[]}} Card
 * @typedef {number[]} Candle Open time, open, high, low, close, and 0 for a mere close price.
 * @typedef {{key: string, exchange: string, symbol: string, interval: string, stepMs: number, version: number,
 *   whole: boolean, candles: Candle[], pending: Candle | null, asOf: number,
 *   horizons: {name: string, ms: number, steps: number}[], fan: Fan | null, ghosts: Record<string, Path>,
 *   card: Card}} Detail
 * @typedef {[string, number | null, number, string, string, number | null, number, string, string]} Row
 *   Key, last close, its time, state and its text, coverage and its count, what it is worth, spark line.
 * @typedef {{number: number, at: number, text: string, kind: string, trouble: boolean, series: string | null}} Entry
 * @typedef {{workers: string, lag: string, down: boolean, series: number, leftOut: number, deadLetters: number,
 *   reading: boolean, trouble: string[], needsToken: boolean}} Status
 */
export {};
