export {
  type EmaOptions,
  ema,
  type PolynomialAverageOptions,
  polynomialAverage,
  type SwaOptions,
  swa,
  type TailAverageOptions,
  tailAverage,
} from './averaging.js'
export {
  type AdaptiveNumbers,
  type BatchChange,
  decayForBatch,
  decayForHalfLife,
  halfLife,
  linearScaling,
  squareRootScaling,
} from './batch-scaling.js'
export { type BatchSizeOptions, batchSizeController } from './batch-size.js'
export { product, type Stretch, sequence } from './compose.js'
export { constant } from './constant.js'
export { type CoordinateSlope, type Coordinates, coordinateCheck, rootMeanSquare } from './coordinate-check.js'
export { type CosineOptions, cosine } from './cosine.js'
export { type CosineRestartsOptions, cosineRestarts } from './cosine-restarts.js'
export { type InverseSquareRootOptions, inverseSquareRoot } from './inverse-square-root.js'
export { type LinearDecayOptions, type LinearWarmupOptions, linearDecay, linearWarmup } from './linear.js'
export { type MupMultipliers, type MupOptimizer, type MupOptions, type MupRole, mup } from './mup.js'
export {
  type GradientNorm,
  type NoiseEstimate,
  NoiseScale,
  type NoiseScaleState,
  noiseEstimate,
} from './noise-scale.js'
export { type PolynomialDecayOptions, polynomialDecay } from './polynomial.js'
export { type Schedule, valueAt } from './schedule.js'
export { type StepDecayOptions, stepDecay } from './step-decay.js'
export {
  type ConstantWarmupOptions,
  constantWarmup,
  type ExponentialWarmupOptions,
  exponentialWarmup,
} from './warmup.js'
export { type WsdOptions, type WsdShape, wsd } from './wsd.js'
