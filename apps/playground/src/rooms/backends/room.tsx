export function Room() {
  return <h1>Backends</h1>;
}
