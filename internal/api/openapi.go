package api

import (
	"context"
	"net/http"
	"sync"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
)

// documentJSON is openapi.yaml as JSON, for programs that make clients from it.
var documentJSON = sync.OnceValues(func() ([]byte, error) {
	doc, err := loadDocument()
	if err != nil {
		return nil, err
	}
	return doc.MarshalJSON()
})

// GetOpenAPI answers with the document all this is described by.
func (h *handlers) GetOpenAPI(context.Context, apigen.GetOpenAPIRequestObject) (apigen.GetOpenAPIResponseObject, error) {
	body, err := documentJSON()
	return openAPI(body), err
}

// openAPI is written here because the generated type takes a map, and would lose the order.
type openAPI []byte

// VisitGetOpenAPIResponse implements apigen.GetOpenAPIResponseObject.
func (o openAPI) VisitGetOpenAPIResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(o)
	return err
}
