// Package workerpb is the generated control protocol between `vitrine serve` and one `vitrine worker`.
package workerpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative worker.proto
