// The few things that every function of the addon does with Node-API.
#pragma once
#include <node_api.h>

#include <memory>
#include <string>
#include <vector>

namespace spikellm {

/// The arguments of a call. TypeScript has checked them.
template <size_t COUNT>
struct Arguments {
  napi_value values[COUNT] = {};
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = COUNT;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

inline double numberOf(napi_env env, napi_value value) {
  double number = 0;
  napi_get_value_double(env, value, &number);
  return number;
}
inline int32_t intOf(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}
inline bool boolOf(napi_env env, napi_value value) {
  bool truth = false;
  napi_get_value_bool(env, value, &truth);
  return truth;
}
inline napi_value makeNumber(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}
inline napi_value makeString(napi_env env, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}
inline napi_value undefined(napi_env env) {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

inline std::string stringOf(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

inline std::vector<napi_value> elementsOf(napi_env env, napi_value array) {
  uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  std::vector<napi_value> elements(length);
  for (uint32_t i = 0; i < length; i++) napi_get_element(env, array, i, &elements[i]);
  return elements;
}
inline std::vector<double> numbersOf(napi_env env, napi_value array) {
  std::vector<double> numbers;
  for (napi_value element : elementsOf(env, array)) numbers.push_back(numberOf(env, element));
  return numbers;
}

/// The memory of a typed array.
struct Bytes {
  uint8_t* data = nullptr;
  size_t size = 0;
  Bytes(napi_env env, napi_value array) {
    napi_typedarray_type type;
    size_t length = 0;
    void* memory = nullptr;
    napi_get_typedarray_info(env, array, &type, &length, &memory, nullptr, nullptr);
    const bool two = type == napi_int16_array || type == napi_uint16_array;
    const bool four = type == napi_int32_array || type == napi_uint32_array || type == napi_float32_array;
    data = static_cast<uint8_t*>(memory);
    const bool eight = type == napi_float64_array;
    size = length * (eight ? 8 : four ? 4 : two ? 2 : 1);
  }
};

/// A JavaScript value that holds a share of a native object.
template <class T>
napi_value makeShared(napi_env env, std::shared_ptr<T> object) {
  napi_value value;
  napi_create_external(
      env, new std::shared_ptr<T>(std::move(object)),
      [](napi_env, void* share, void*) { delete static_cast<std::shared_ptr<T>*>(share); }, nullptr, &value);
  return value;
}
/// The share in such a value; null for other values.
template <class T>
std::shared_ptr<T>* sharedOf(napi_env env, napi_value value) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external) return nullptr;
  void* share = nullptr;
  napi_get_value_external(env, value, &share);
  return static_cast<std::shared_ptr<T>*>(share);
}

}  // namespace spikellm
