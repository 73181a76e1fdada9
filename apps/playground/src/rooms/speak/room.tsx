export function Room() {
  return <h1>Speak</h1>;
}
