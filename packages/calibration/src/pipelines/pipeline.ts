/** What a pipeline is: the way from the float weights of a layer to quantised ones. To add one, see CONTRIBUTING.md. */
import type { Backend } from '@spikellm/backend';
import type {
  HostArena,
  LayerGraph,
  LayerWeights,
  ModelGraph,
  SpikingConfig,
  WeightSettings,
} from '@spikellm/graph';
import type { LayerSizes } from '../observers.ts';
import type { Fields } from '../settings/fields.ts';
import type { CommonSettings } from '../settings/settings.ts';
import type { PipelineSize } from '../sizing/pipeline-size.ts';
import type { LayerSteps } from '../steps.ts';
import type { ActivationStream } from '../streams.ts';

/** The activations that a pipeline wants to go through the layers, and what it looks at in them. */
export interface StreamNeeds {
  /** Of the float model; `sizes` where the pipeline looks at how large they are. */
  readonly float?: 'pass' | 'sizes';
  /** Of the model as far as it is quantised. Saliency is scored on it where it is there, else on the float stream. */
  readonly quantised?: true;
  /** What the float layer makes of the quantised stream. */
  readonly augmented?: true;
}

export interface Streams {
  readonly float?: ActivationStream;
  readonly quantised?: ActivationStream;
  readonly augmented?: ActivationStream;
}

/** How far the training of a layer has come. */
export interface TrainingProgress {
  readonly layer: number;
  readonly layers: number;
  readonly epochs: number;
  /** The mean loss of each epoch so far, the first before any update has told. */
  readonly losses: readonly number[];
}

/** The work on one layer. */
export interface LayerTask<Own> {
  readonly graph: ModelGraph;
  readonly layer: LayerGraph;
  readonly backend: Backend;
  readonly settings: CommonSettings;
  readonly own: Own;
  /** The `quantization_config` of the model that is made. */
  readonly spiking: SpikingConfig;
  /** Float weights. */
  readonly weights: LayerWeights;
  readonly steps: LayerSteps;
  /** What the float stream showed; present where the pipeline asked for `sizes`. */
  readonly sizes: LayerSizes | undefined;
  /** What enters the layer, but for the float stream, which has left it already. */
  readonly streams: Streams;
  readonly windows: readonly (readonly number[])[];
  /** Memory of what the task makes and the loop gives back when the layer is written. */
  readonly allocate: HostArena['allocate'];
  readonly signal: AbortSignal | undefined;
  /** Writes what is known of this layer into the pipeline's log. */
  log(entry: object): Promise<void>;
  /** Counts units of the layer's work. */
  readonly onProgress: (done: number, training?: TrainingProgress) => void;
  readonly onNotice: ((text: string) => void) | undefined;
}

export interface Pipeline<Own = unknown> {
  /** In settings, in config.json and on the command line. */
  readonly name: string;
  /** In tables. */
  readonly title: string;
  /** Settings of its own. */
  readonly fields: Fields<Own>;
  /** What fields cannot say one by one. Errors: INVALID_ARGUMENT. */
  check?(settings: CommonSettings, own: Own): void;
  /** `weights` of quantization_config; whole numbers of the settings' bits where it is absent. */
  weights?(settings: CommonSettings, own: Own): WeightSettings | undefined;
  streams?(settings: CommonSettings, own: Own): StreamNeeds;
  /** A name for what its work on a layer counts, and how many units a layer has. Layers are counted where it is absent. */
  readonly work?: {
    readonly phase: 'train' | 'compensate';
    units(layer: LayerGraph, windows: number, own: Own): number;
  };
  /** File in the folder that its log goes to. */
  readonly logFile?: string;
  /** The layer as it will be encoded, as far as that is known before its work: what a budget of steps is measured on. */
  fold?(
    weights: LayerWeights,
    layer: LayerGraph,
    sizes: LayerSizes,
    own: Own,
    allocate: HostArena['allocate'],
  ): LayerWeights;
  quantizeLayer(task: LayerTask<Own>): Promise<LayerWeights>;
  /** What a run takes. */
  readonly size: PipelineSize<Own>;
}

/** Forgets the type of a pipeline's own settings, which its fields check. */
export const pipeline = <Own>(value: Pipeline<Own>): Pipeline => value;
