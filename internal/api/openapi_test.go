package api

import (
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// TestDocumentIsServed: what people get is the document, whole and valid, and only those who are signed in.
func TestDocumentIsServed(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, http.StatusUnauthorized, f.do(request{method: "GET", path: "/api/v1/openapi.json"}).StatusCode)
	f.signIn()
	res := f.do(request{method: "GET", path: "/api/v1/openapi.json"})
	require.Equal(t, http.StatusOK, res.StatusCode)
	served, err := openapi3.NewLoader().LoadFromData([]byte(bodyOf(t, res)))
	require.NoError(t, err)
	require.NoError(t, served.Validate(t.Context()))
	require.Equal(t, "3.1.0", served.OpenAPI)
	doc, err := loadDocument()
	require.NoError(t, err)
	require.Len(t, served.Paths.Map(), len(doc.Paths.Map()))
}
