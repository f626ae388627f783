import type { Tuning } from './learning-rates.js'

/** Data, written by the command below: replace this file by the one that it leaves in its run folder. */
export const tuned: Tuning = {
  command: 'npm start -- --sweep',
  date: '2026-11-20',
  batch: 250,
  steps: 700,
  seed: 0,
  trials: {
    adamw: [
      { learningRate: 0.001, finalLoss: 101.595 },
      { learningRate: 0.002, finalLoss: 90.02 },
      { learningRate: 0.004, finalLoss: 83.878 },
      { learningRate: 0.008, finalLoss: 81.245 },
      { learningRate: 0.016, finalLoss: 98.621 },
      { learningRate: 0.032, finalLoss: 202.387 },
    ],
    muon: [
      { learningRate: 0.001, finalLoss: 284.638 },
      { learningRate: 0.002, finalLoss: 153.576 },
      { learningRate: 0.004, finalLoss: 82.172 },
      { learningRate: 0.008, finalLoss: 65.281 },
      { learningRate: 0.016, finalLoss: 63.773 },
      { learningRate: 0.032, finalLoss: 80.934 },
    ],
    shampoo: [
      { learningRate: 0.001, finalLoss: 78.291 },
      { learningRate: 0.002, finalLoss: 69.893 },
      { learningRate: 0.004, finalLoss: 65.243 },
      { learningRate: 0.008, finalLoss: 63.265 },
      { learningRate: 0.016, finalLoss: 66.044 },
      { learningRate: 0.032, finalLoss: 92.781 },
    ],
  },
}
