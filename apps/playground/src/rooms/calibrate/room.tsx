export function Room() {
  return <h1>Calibrate</h1>;
}
