// Package vault seals secrets for the database: credentials of targets, seeds of second factors, whatever must be read
// back. Passwords of people are not among them; those are hashed.
//
// Each secret has a data key of its own, 32 random bytes, and is sealed with it by AES-256-GCM. The data key is wrapped,
// also by AES-256-GCM, with the master key, which is not in the database but in a file or the environment. A sealed
// value is
//
//	version 1 | nonce 12 | ciphertext | tag 16
//
// and both layers bind what they are for: the additional data are the layer's name, the purpose, the id of the record
// and, for the data key, the id of the master key, each with its length before it. So a value that somebody moves to another row, or
// to another purpose, does not open.
//
// Master keys have ids, the beginning of a hash of the key, by which a data key names the one it needs. There may be
// several: the first seals, all open. Replacing the master key wraps the data keys anew in one transaction and leaves the
// secrets themselves alone; until it is done, and for backups made before, the old key still opens.
//
// The data keys of recordings' keys may be wrapped elsewhere: by a key that a HashiCorp Vault keeps in its transit engine and never
// gives away (transit.go). All else stays under the master key.
package vault
