/** A row-major array. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What each file holds; names as in the files. */
export interface GoldenFiles {
  readonly tokenizers: TokenizersGolden;
  readonly kernels: KernelsGolden;
  readonly omniquant_layer: OmniquantLayerGolden;
  readonly stories260k: Stories260kGolden;
  readonly tales: TalesGolden;
}

/** The published quantisers, spiking products and GPTQ, one entry a case. */
export interface KernelsGolden {
  readonly about: string;
  readonly activation_quantizer: readonly ActivationQuantizerCase[];
  readonly weight_quantizer: readonly WeightQuantizerCase[];
  readonly spike_linear: readonly SpikeLinearCase[];
  readonly spike_matmul: readonly SpikeMatmulCase[];
  readonly gptq: readonly GptqCase[];
}

/** Asymmetric quantisation of each row (token) of `x`. */
export interface ActivationQuantizerCase {
  readonly bits: number;
  readonly x: GoldenTensor;
  readonly scale: GoldenTensor;
  readonly zero_point: GoldenTensor;
  readonly dequantized: GoldenTensor;
  readonly note?: string;
}

interface WeightQuantizerBase {
  readonly bits: number;
  readonly symmetric: boolean;
  readonly group_size: number | null;
  readonly w: GoldenTensor;
  readonly scale: GoldenTensor;
  readonly zero_point: GoldenTensor;
  readonly dequantized: GoldenTensor;
}

/** Quantisation of each row (or group) of `w`; with learnable clipping also its bound factors and their gradients. */
export type WeightQuantizerCase =
  | (WeightQuantizerBase & { readonly lwc: false })
  | (WeightQuantizerBase & {
      readonly lwc: true;
      readonly upper_bound_factor: GoldenTensor;
      readonly lower_bound_factor: GoldenTensor;
      readonly loss: number;
      readonly loss_is: string;
      readonly grad_upper: GoldenTensor;
      readonly grad_lower: GoldenTensor;
    });

/** A linear whose salient input channels spike in more steps. `low_p` is the share of channels that are not salient. */
export interface SpikeLinearCase {
  readonly activation_bits: number;
  readonly weight_bits: number;
  readonly addbit: number;
  readonly steps: number;
  readonly low_p: number;
  readonly weight: GoldenTensor;
  readonly calibration: readonly GoldenTensor[];
  readonly saliency: GoldenTensor;
  /** 1 for a salient channel, 0 for another. */
  readonly salient: readonly number[];
  readonly x: GoldenTensor;
  readonly output: GoldenTensor;
}

/** The two products of attention with spiking K and V. */
export interface SpikeMatmulCase {
  readonly bits: number;
  readonly addbit: number;
  readonly low_p: number;
  readonly q: GoldenTensor;
  readonly k: GoldenTensor;
  readonly v: GoldenTensor;
  readonly p: GoldenTensor;
  readonly saliency_k: GoldenTensor;
  readonly saliency_v: GoldenTensor;
  /** 1 for a salient channel, 0 for another; all heads in one list. */
  readonly salient_k: readonly number[];
  readonly salient_v: readonly number[];
  readonly scores: GoldenTensor;
  readonly context: GoldenTensor;
  readonly note: string;
}

/** One GPTQ run; `group_size` -1 is one group a row. */
export interface GptqCase {
  readonly bits: number;
  readonly group_size: number;
  readonly act_order: boolean;
  readonly symmetric: boolean;
  readonly block_size: number;
  readonly percdamp: number;
  readonly weight: GoldenTensor;
  readonly inputs: GoldenTensor;
  readonly hessian_diag: GoldenTensor;
  readonly dequantized: GoldenTensor;
  readonly note: string;
}

/** One decoder layer optimised block by block, one entry a setting. */
export interface OmniquantLayerGolden {
  readonly about: string;
  readonly cases: readonly OmniquantCase[];
}

/** Settings, first gradients and losses of one optimisation; parameter names as published. */
export interface OmniquantCase {
  readonly tag: string;
  readonly weight_bits: number;
  readonly activation_bits: number;
  readonly addbit: number;
  readonly low_p: number;
  readonly alpha: number;
  readonly let: boolean;
  readonly lwc: boolean;
  readonly aug_loss: boolean;
  readonly epochs: number;
  readonly let_lr: number;
  readonly lwc_lr: number;
  readonly optimizer: string;
  readonly heads: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly weights: Readonly<Record<string, GoldenTensor>>;
  readonly inputs: GoldenTensor;
  readonly fp_outputs: GoldenTensor;
  readonly activation_abs_max: Readonly<Record<string, GoldenTensor>>;
  /** Per linear or matmul: 1 for a salient channel, 0 for another. */
  readonly salient: Readonly<Record<string, readonly number[]>>;
  readonly initial_parameters: Readonly<Record<string, GoldenTensor>>;
  readonly first_gradients: Readonly<Record<string, GoldenTensor>>;
  /** losses[epoch][sample], each before its step. */
  readonly losses: readonly (readonly number[])[];
  readonly final_parameters: Readonly<Record<string, GoldenTensor>>;
  readonly quantized_outputs: GoldenTensor;
}

/** What a float checkpoint makes of one prompt. */
export interface GoldenPrompt {
  readonly prompt: string;
  readonly ids: readonly number[];
  /** The eight largest logits of the last position as (token id, logit). */
  readonly last_logits_top8: readonly (readonly [id: number, logit: number])[];
  readonly greedy_ids: readonly number[];
  readonly greedy_text: string;
}

/** A checkpoint of 260 thousand parameters in float and under the published quantisers. */
export interface Stories260kGolden {
  readonly about: string;
  readonly prompts: readonly (GoldenPrompt & { readonly logits_l2: number })[];
  readonly token_count: number;
  readonly first_32_ids: readonly number[];
  readonly windows: number;
  readonly calibration_windows: number;
  readonly window: number;
  /** Perplexity by method name. */
  readonly perplexity: Readonly<Record<string, number>>;
  readonly protocol: Readonly<Record<string, string>>;
}

/** The demo model in float. */
export interface TalesGolden {
  readonly about: string;
  readonly text: string;
  readonly protocol: string;
  readonly token_count: number;
  readonly first_32_ids: readonly number[];
  readonly windows: number;
  readonly perplexity_fp32: number;
  readonly prompts: readonly GoldenPrompt[];
}

/** Small tokenizers of the Rust library `tokenizers`: what it makes of some texts. */
export interface TokenizersGolden {
  readonly models: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly texts: readonly string[];
  readonly variants: readonly {
    readonly name: string;
    readonly model: string;
    /** Fields of the model that differ. */
    readonly changes: Readonly<Record<string, unknown>>;
    /** tokenizer.json without its model. */
    readonly definition: Readonly<Record<string, unknown>>;
    readonly ids: readonly (readonly number[])[];
    /** The ids decoded, without special tokens. */
    readonly texts: readonly string[];
  }[];
}
