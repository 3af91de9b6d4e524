import type { components } from './schema';

export type Problem = components['schemas']['Problem'];

/** An answer of the API that is not what was asked for, as a problem document (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';

  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
  }

  get status(): number {
    return this.problem.status;
  }
}

/** Tells whether the sign-in has expired or was never there. */
export function isUnauthorized(error: unknown): boolean {
  return error instanceof ProblemError && error.status === 401;
}

/** Tells whether the gateway refused something with that code. */
export function isProblem(error: unknown, code: string): boolean {
  return error instanceof ProblemError && error.problem.code === code;
}

function looksLikeProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' &&
    value !== null &&
    'title' in value &&
    typeof value.title === 'string' &&
    'status' in value &&
    typeof value.status === 'number'
  );
}

/** Makes an error of whatever body came with a refused request: a problem, or something a proxy put in between. */
export function problemFrom(response: Response, body: unknown): ProblemError {
  if (looksLikeProblem(body)) return new ProblemError({ ...body, code: body.code || 'unknown' });
  return new ProblemError({
    type: 'about:blank',
    title: response.statusText || 'Unexpected answer',
    status: response.status,
    detail: `The gateway answered ${String(response.status)} without saying why.`,
    code: 'unexpected_answer',
  });
}

/** Reads the problem out of a refused response whose body was not read yet. */
export async function problemOf(response: Response): Promise<ProblemError> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    body = undefined;
  }
  return problemFrom(response, body);
}

/** Anything thrown, as a problem to show. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) {
    return {
      type: 'about:blank',
      title: 'The gateway cannot be reached',
      status: 0,
      detail: 'Check the network connection; the console keeps trying.',
      code: 'unreachable',
    };
  }
  return {
    type: 'about:blank',
    title: 'Something went wrong in the console',
    status: 0,
    detail: error instanceof Error ? error.message : String(error),
    code: 'console_error',
  };
}
