import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import type { Manifest } from '@spikellm/boundaries/workspace';

/** A package as a registry knows it. */
export interface Release {
  readonly manifest: Manifest;
  /** Path of its .tgz. */
  readonly archive: string;
}

/** An npm registry on this machine that has these releases and nothing else. Close it when done. */
export async function serveRegistry(
  releases: readonly Release[],
): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/').slice(1);
    const archive = releases.find((release) => path === basename(release.archive));
    const known = releases.find(({ manifest }) => path === manifest.name);
    if (archive !== undefined) response.end(readFileSync(archive.archive));
    else if (known !== undefined) response.end(JSON.stringify(listing(known, url)));
    else response.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, server };
}

function listing({ manifest, archive }: Release, url: string): unknown {
  const { name, version } = manifest;
  const release = { ...manifest, dist: { tarball: `${url}${basename(archive)}` } };
  return { name, 'dist-tags': { latest: version }, versions: { [version]: release } };
}
