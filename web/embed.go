// Package web holds the built console.
package web

import (
	"embed"
	"io/fs"
)

// A clone without npm has dist/.gitkeep only, and builds; the gateway then says that the console is not built.
//
//go:embed all:dist
var embedded embed.FS

// Dist returns the console's files.
func Dist() fs.FS {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil { // "dist" is a valid path: this cannot happen
		panic(err)
	}
	return dist
}
