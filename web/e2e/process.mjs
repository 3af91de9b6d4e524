import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Starts a program and waits until its output matches. Returns { match, output, stop }; stop ends it by its id
 * and waits until it has ended, with its exit code.
 */
export async function start(command, args, pattern, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    const code = await ended;
    clearTimeout(timer);
    return code;
  };
  const match = await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${command} is not ready after 30 s:\n${output}`)),
      30_000,
    );
    const take = (data) => {
      output += data;
      const found = pattern.exec(output);
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    void ended.then((code) => {
      clearTimeout(timer);
      reject(new Error(`${command} ended with ${code}:\n${output}`));
    });
  }).catch(async (error) => {
    await stop();
    throw error;
  });
  return { match, stop, output: () => output };
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/**
 * Starts `vitrine demo` on data of its own. Returns { base, password, data, close }: where the console is, how admin signs in, the data folder;
 * close ends it, removes the data and fails unless it ended in order.
 */
export async function startDemo() {
  const data = mkdtempSync(join(tmpdir(), 'vitrine-e2e-'));
  const binary = resolve(process.env.VITRINE_BIN ?? '../bin/vitrine');
  const args = ['demo', '--data', data, '--port', String(await freePort())];
  const gateway = await start(binary, args, /console\s+(http\S+)[\s\S]*password\s+(\S+)/).catch((error) => {
    rmSync(data, { recursive: true, force: true });
    throw error;
  });
  const [, base, password] = gateway.match;
  const close = async () => {
    const code = await gateway.stop();
    rmSync(data, { recursive: true, force: true });
    assert.equal(code, 0, `the gateway ended with ${code}:\n${gateway.output()}`);
  };
  return { base, password, data, close };
}
