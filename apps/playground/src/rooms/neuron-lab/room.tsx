export function Room() {
  return <h1>Neuron lab</h1>;
}
