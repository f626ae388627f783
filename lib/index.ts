// The public face of kronroot's kernels. Optimizers are under kronroot/optim, schedules under kronroot/schedule.
export {
  Device,
  type DeviceKind,
  type DeviceMemory,
  type Isa,
  type OpenOptions,
  open,
  type TensorOptions,
} from './device.js'
export { type ErrorCode, KronrootError } from './errors.js'
export type { ArrayOperand } from './linalg/arrays.js'
export { type Cholesky, cholesky, type FactorizationOptions } from './linalg/cholesky.js'
export { type Eigh, type EighOptions, type EighRefresh, type EighResult, eigh } from './linalg/eigh.js'
export { elementwiseUpdate, type UpdateArray, type UpdateKind } from './linalg/elementwise-update.js'
export { type Gram, type GramOptions, gram } from './linalg/gram.js'
export {
  type InverseRoot,
  type InverseRootOptions,
  inverseRoot,
  type RootMethod,
  rootMethods,
  type SolveResult,
} from './linalg/inverse-root.js'
export { type KronApply, type KronApplyOptions, kronApply } from './linalg/kron-apply.js'
export {
  type KronBasis,
  type KronSolve,
  type KronSolveOptions,
  type KronSquares,
  kronSolve,
  kronSquares,
  type SquaresOptions,
} from './linalg/kron-solve.js'
export { type Matmul, type MatmulOptions, matmul } from './linalg/matmul.js'
export { type ModeProduct, type ModeProductOptions, modeProduct } from './linalg/mode-product.js'
export {
  type NormEstimate,
  type NormEstimateOptions,
  type NormKind,
  normEstimate,
} from './linalg/norm-estimate.js'
export type { Abortable } from './linalg/operation.js'
export type { OnFailure } from './linalg/options.js'
export {
  type CoefficientTable,
  type Orthogonalize,
  type OrthogonalizeOptions,
  orthogonalize,
} from './linalg/orthogonalize.js'
export { type Qr, type QrOptions, type QrResult, qr } from './linalg/qr.js'
export { type ReduceArray, type Reduction, reduce } from './linalg/reduce.js'
export { type Method, Report, type Rung, SolveError, type Status } from './linalg/report.js'
export type { Ridge } from './linalg/ridge.js'
export { type SpdInverse, spdInverse } from './linalg/spd-inverse.js'
export { type SpdSolve, spdSolve } from './linalg/spd-solve.js'
export { type Svd, type SvdOptions, type SvdResult, svd } from './linalg/svd.js'
export { type TriangularSolve, type TriangularSolveOptions, triangularSolve } from './linalg/triangular-solve.js'
export { type DType, Tensor } from './tensor.js'
