// Package license is the licensing phase of a connection ([MS-RDPELE], [MS-RDPBCGR] 2.2.1.12) as a state machine without
// I/O.
//
// Most servers end it with the first message: STATUS_VALID_CLIENT, which is all that AppendValidClient lets our own side
// say. A Remote Desktop Session Host with a licence server wants the whole exchange:
//
//	server                            client
//	LICENSE_REQUEST           ->               randoms, a certificate
//	                          <-               NEW_LICENSE_REQUEST: a secret under its key, names
//	PLATFORM_CHALLENGE        ->               encrypted with what both now know
//	                          <-               PLATFORM_CHALLENGE_RESPONSE, a hardware id
//	NEW_LICENSE               ->               or UPGRADE_LICENSE, or STATUS_VALID_CLIENT
//
// # Licences are not kept
//
// The gateway has no licence store, so LICENSE_INFO is never sent and every connection asks anew. A licence server that
// counts users needs none kept. One that counts devices knows the gateway by its hardware id, which is a hash of the
// machine's name: all gateways of one name are one device, and it is given its (temporary, then permanent) licence again.
//
// # What it protects
//
// Nothing. MD5, SHA-1, RC4 and RSA without padding are what the protocol is made of, and the certificate comes from the
// same wire and is not verified. TLS around it protects the exchange; the secrets of it are made for it and thrown away.
package license
