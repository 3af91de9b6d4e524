// Package manifest brings targets and their accounts to what YAML files say: `vitrine apply`, and imports in the console.
//
// A file holds documents, each a target:
//
//	kind: Target
//	id: build-server
//	name: Build server
//	protocol: vnc
//	address: build.example.com:5900
//	tags: [linux, build]
//	tls: {mode: verify, ca_file: ca.pem}        # as in the configuration; ca holds PEM itself
//	recording: {keys: none}
//	accounts:
//	  - name: builder
//	    username: builder
//	    credential: {password_file: secrets/builder}
//	  - name: root
//	    credential: {vault: {name: corp, path: servers/build, password_field: root}}
//	---
//	kind: Target
//	…
//
// A credential is one of password, password_file, password_env, vault, command ({name, reference}) and none: true. Without any
// an account keeps the one it has, so that files need not hold secrets at all.
//
// What a document leaves out is as if it said the default: applying it twice changes nothing the second time. Targets that no
// document names stay, unless they came from a document before and pruning is asked for.
//
// Files are read strictly. Anchors and aliases are not taken, so that what is read is never larger than what is there.
package manifest
