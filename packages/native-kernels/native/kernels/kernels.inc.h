// All kernels of one instruction set: included inside an unnamed namespace, after a SIMD layer.
#include "common.inc.h"
#include "functions.inc.h"
#include "activations.inc.h"
#include "gemm.inc.h"
#include "float.inc.h"
#include "gif.inc.h"
#include "codes_layout.inc.h"
#include "panels.inc.h"
#include "code_planes.inc.h"
#include "codes.inc.h"
#include "fused.inc.h"
#include "ternary.inc.h"
#include "packed.inc.h"
#include "ternary_float.inc.h"
#include "rows.inc.h"
#include "attention_scores.inc.h"
#include "attention.inc.h"
#include "attention_gif.inc.h"
#include "statistics.inc.h"
#include "hadamard.inc.h"
#include "gram.inc.h"
#include "cholesky.inc.h"
#include "training_float.inc.h"
#include "training_loss.inc.h"
#include "training_round.inc.h"
#include "training_attention.inc.h"
#include "probes.inc.h"

const KernelEntry entries[] = {
    {"embedding_f32", embedding, nullptr},
    {"embedding_half_f32", embeddingHalf, nullptr},
    {"add_f32", addAll, nullptr},
    {"rmsnorm_f32", rmsnorm, nullptr},
    {"linear_f32", linear, nullptr},
    {"linear_half_f32", linearHalf, nullptr},
    {"matmul_f32", matmul, nullptr},
    {"matmul_tn_f32", matmulTn, nullptr},
    {"gated_f32", gated, nullptr},
    {"scale_f32", scaleAll, nullptr},
    {"softcap_f32", softcap, nullptr},
    {"softcap_backward_f32", softcapBackward, nullptr},
    {"rope_f32", rope, nullptr},
    {"hadamard_f32", hadamard, nullptr},
    {"attend_f32", attend, nullptr},
    {"cross_entropy_f32", crossEntropy, nullptr},
    {"gif_encode_f32", gifEncode, nullptr},
    {"gif_decode_f32", gifDecode, nullptr},
    {"linear_codes_f32", linearCodes, nullptr},
    {"linear_gif_f32", linearGif, nullptr},
    {"qkv_gif_f32", qkvGif, nullptr},
    {"gate_up_gif_f32", gateUpGif, nullptr},
    {"linear_packed_f32", linearPacked, nullptr},
    {"linear_packed_bytes", linearBytes, nullptr},
    {"embedding_packed_f32", embeddingPacked, nullptr},
    {"linear_ternary_codes_f32", linearTernaryCodes, nullptr},
    {"linear_ternary_f32", linearTernary, nullptr},
    {"attend_gif_token_f32", attendGifToken, nullptr},
    {"attend_gif_block_f32", attendGifBlock, nullptr},
    {"attend_gif_whole_f32", attendGifWhole, nullptr},
    {"column_absmax_f32", columnAbsmax, nullptr},
    {"column_dot_f32", columnDot, nullptr},
    {"kv_saliency_f32", kvSaliency, nullptr},
    {"gram_f32", gram, nullptr},
    {"cholesky_f32", cholesky, nullptr},
    {"rmsnorm_backward_f32", rmsnormBackward, nullptr},
    {"layernorm_f32", layernorm, nullptr},
    {"layernorm_backward_f32", layernormBackward, nullptr},
    {"gated_backward_f32", gatedBackward, nullptr},
    {"activation_f32", activation, nullptr},
    {"activation_backward_f32", activationBackward, nullptr},
    {"attend_window_f32", attendWindow, nullptr},
    {"attend_window_backward_f32", attendWindowBackward, nullptr},
    {"gif_round_trip_f32", gifRoundTrip, nullptr},
    {"gif_round_trip_backward_f32", gifRoundTripBackward, nullptr},
    {"weight_round_trip_f32", weightRoundTrip, nullptr},
    {"weight_round_trip_backward_f32", weightRoundTripBackward, nullptr},
    {"squared_error_f32", squaredError, nullptr},
    {"squared_error_backward_f32", squaredErrorBackward, nullptr},
    {"cross_entropy_backward_f32", crossEntropyBackward, nullptr},
    {"embedding_backward_f32", scatter, nullptr},
    {"column_sum_f32", columnSum, nullptr},
    {"divide_f32", divide, nullptr},
    {"divide_backward_f32", divideBackward, nullptr},
    {"gather_backward_f32", scatter, nullptr},
    {"pack_class_of", packClassOf, classOfBytes},
    {"pack_order", packOrder, orderBytes},
    {"pack_linear_codes", packLinearCodes, linearCodesBytes},
    {"pack_gif_linears", packGifLinears, gifLinearsBytes},
    {"pack_linear_ternary_codes", packTernaryCodes, ternaryCodesBytes},
    {"pack_linear_ternary", packTernaryFloat, ternaryFloatBytes},
    {"pack_linear_packed", packLinearPacked, linearPackedBytes},
    {"pack_classes", packClasses, classesBytes},
    {"probe_read", probeRead, nullptr},
    {"probe_int8", probeInt8, nullptr},
    {"probe_f32", probeF32, nullptr},
    {nullptr, nullptr, nullptr},
};
