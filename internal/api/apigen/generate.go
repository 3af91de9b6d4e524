// Package apigen is generated from openapi.yaml: the types of the HTTP API and the interface its handlers implement.
package apigen

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config config.yaml ../openapi.yaml
