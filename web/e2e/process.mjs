import { spawn } from 'node:child_process';

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
