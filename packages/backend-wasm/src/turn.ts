/**
 * Lets timers, signals and the page have their turn. Neither `setTimeout`, which pages stretch to 4 milliseconds, nor a
 * promise alone, which gives way to other promises only.
 */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
