import { ProblemError } from '../api/problem';

/** Passkeys as the browser makes and proves them; options and answers are the API's JSON. */

/** Tells whether this browser can. */
export function hasPasskeys(): boolean {
  return typeof PublicKeyCredential === 'function' && 'parseCreationOptionsFromJSON' in PublicKeyCredential;
}

/** What kept a passkey from being used, which the browser tells nobody in detail. */
function refused(detail: string): ProblemError {
  return new ProblemError({
    type: 'about:blank',
    title: 'Passkey',
    status: 0,
    code: 'passkey_unused',
    detail,
  });
}

async function asked(ask: () => Promise<Credential | null>): Promise<Record<string, unknown>> {
  let credential: Credential | null;
  try {
    credential = await ask();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'InvalidStateError') {
      throw refused('This passkey is enrolled already.');
    }
    throw refused('No passkey was used. Try again, or choose another way.');
  }
  if (!credential) throw refused('No passkey was used.');
  const json: unknown = (credential as PublicKeyCredential).toJSON();
  return json as Record<string, unknown>;
}

export function makePasskey(options: unknown): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as PublicKeyCredentialCreationOptionsJSON,
  );
  return asked(() => navigator.credentials.create({ publicKey }));
}

export function provePasskey(options: unknown): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as PublicKeyCredentialRequestOptionsJSON,
  );
  return asked(() => navigator.credentials.get({ publicKey }));
}
