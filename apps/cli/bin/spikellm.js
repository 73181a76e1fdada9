#!/usr/bin/env node
const entry = new URL('../dist/command.js', import.meta.url);

const cli = await import(entry.href).catch((error) => {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || error.url !== entry.href) throw error;
  console.error(
    'spikellm: expected a built dist folder, received a source tree; run `npm start` at its root first.',
  );
});

// A reader that has seen enough, such as head, closes the pipe.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode =
  cli === undefined ? 1 : await cli.main(process.argv.slice(2), process, cli.interruptSignal());
