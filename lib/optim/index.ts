export * from '../schedule/index.js'
export { WeightAverage, type WeightAverageState } from './averaging/weight-average.js'
export { type Phase, PhaseClock, type PhaseTimes } from './clock.js'
export type { WeightDecayMode, WeightDecayOptions } from './decay.js'
export { type AdafactorOptions, adafactor } from './first-order/adafactor.js'
export { type AdaGradOptions, adagrad } from './first-order/adagrad.js'
export { type AdaGradNormOptions, adagradNorm } from './first-order/adagrad-norm.js'
export { type AdamOptions, adam } from './first-order/adam.js'
export { type AdaMaxOptions, adamax } from './first-order/adamax.js'
export { type AdamWOptions, adamw } from './first-order/adamw.js'
export { type AdEMAMixOptions, ademamix } from './first-order/ademamix.js'
export { type AmsGradOptions, amsgrad } from './first-order/amsgrad.js'
export { type DiffGradOptions, diffgrad } from './first-order/diffgrad.js'
export type { DogOptions } from './first-order/distance-over-gradients.js'
export { dog } from './first-order/dog.js'
export { type LambOptions, lamb } from './first-order/lamb.js'
export { type LarsOptions, lars } from './first-order/lars.js'
export { ldog } from './first-order/ldog.js'
export { type LionOptions, lion } from './first-order/lion.js'
export { type NAdamOptions, nadam } from './first-order/nadam.js'
export { type NagGsOptions, nagGs } from './first-order/nag-gs.js'
export { type OptAmsGradOptions, optAmsgrad } from './first-order/opt-amsgrad.js'
export { type RandomScaledSgdmOptions, randomScaledSgdm } from './first-order/random-scaled-sgdm.js'
export { type RmsPropOptions, rmsprop } from './first-order/rmsprop.js'
export { type SgdOptions, sgd } from './first-order/sgd.js'
export { type SignSgdOptions, signsgd } from './first-order/signsgd.js'
export { type SmbOptions, smb } from './first-order/smb.js'
export { type SwatsOptions, swats } from './first-order/swats.js'
export type { Gradient, GradientInput } from './gradients.js'
export type { GraftOption } from './graft.js'
export type { GroupOptions } from './group.js'
export { Optimizer, type Parameter, type ParameterGroupOptions } from './optimizer.js'
export type {
  Arrays,
  Arrays,
  GradientAt,
  GradientAt,
  HessianVector,
  HessianVector,
  LossAndGradientAt,
  LossAt,
  LossAt,
} from './oracle.js'
export { type MuonOptions, type MuonOptions, type MuonScale, type MuonScale, muon, muon } from './orthogonal/muon.js'
export type {
  OptimizerOptions,
  OptimizerOptions,
  OptimizerPlan,
  OptimizerPlan,
  OptimizerReport,
  OptimizerReport,
  OptimizerState,
  OptimizerState,
} from './parameter-groups.js'
export type {
  BucketPlan,
  BucketPlan,
  Gradients,
  Gradients,
  ParameterSpec,
  ParameterSpec,
  Rule,
  Rule,
  RuleContext,
  RuleContext,
  RulePlan,
  RulePlan,
  SolveReport,
  SolveReport,
} from './rule.js'
export type { DampingOptions } from './second-order/adaptive-damping.js'
export { type EgnOptions, egn } from './second-order/egn.js'
export { type FullMatrixAdagradOptions, fullMatrixAdagrad } from './second-order/full-matrix-adagrad.js'
export { type GgtOptions, ggt } from './second-order/ggt.js'
export { type LbfgsOptions, lbfgs } from './second-order/lbfgs.js'
export type { LineSearchOptions } from './second-order/line-search.js'
export { type NewtonCgOptions, newtonCg } from './second-order/newton-cg.js'
export { type PsgdKronOptions, psgdKron } from './second-order/psgd-kron.js'
export type { Residuals, ResidualsAt } from './second-order/residuals.js'
export { type SaddleFreeNewtonOptions, saddleFreeNewton } from './second-order/saddle-free-newton.js'
export { type SingdOptions, singd } from './second-order/singd.js'
export { type AsgoOptions, asgo } from './shampoo/asgo.js'
export {
  type EigenvalueCorrectedOptions,
  eigenvalueCorrectedShampoo,
} from './shampoo/eigenvalue-corrected.js'
export { type KlShampooOptions, klShampoo } from './shampoo/kl-shampoo.js'
export { type KlSoapOptions, klSoap } from './shampoo/kl-soap.js'
export { type ShampooOptions, shampoo } from './shampoo/shampoo.js'
export { type SoapOptions, soap } from './shampoo/soap.js'
export { type SplusOptions, splus } from './shampoo/splus.js'
export type { Slot, StateArray, StateDict } from './slots.js'
export { hessianSpectrum, type Spectrum, type SpectrumOptions } from './spectrum/hessian-spectrum.js'
export { type Suggestion, type SuggestionOptions, suggestRates } from './spectrum/suggestion.js'
export { type AccumulateOptions, accumulate } from './wrappers/accumulate.js'
export { type EntropySgdOptions, entropySgd } from './wrappers/entropy-sgd.js'
export { type LookaheadOptions, lookahead } from './wrappers/lookahead.js'
export { type MarsOptions, mars } from './wrappers/mars.js'
export { type PrimalAveragingOptions, primalAveraging } from './wrappers/primal-averaging.js'
export { type SamOptions, sam } from './wrappers/sam.js'
export { type ScheduleFreeOptions, scheduleFree } from './wrappers/schedule-free.js'
export { type VrgdOptions, vrgd } from './wrappers/vrgd.js'
export type { WrapperState } from './wrappers/wrapper.js'
export { type XgradOptions, xgrad } from './wrappers/xgrad.js'
