package api

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
)

//go:embed openapi.yaml
var document []byte

func init() {
	// Session descriptions are text; the worker parses them.
	openapi3filter.RegisterBodyDecoder("application/sdp", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/trickle-ice-sdpfrag", openapi3filter.PlainBodyDecoder)
}

// validator holds requests against openapi.yaml.
type validator struct{ doc *openapi3.T }

// loadDocument parses the document once; whoever gets it only reads it.
var loadDocument = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(document) })

func newValidator() (*validator, error) {
	doc, err := loadDocument()
	if err != nil {
		return nil, fmt.Errorf("api: openapi.yaml: %w", err)
	}
	return &validator{doc}, nil
}

// operation finds the operation of the route gin has matched, or nil.
func (v *validator) operation(c *gin.Context) (string, *openapi3.PathItem, *openapi3.Operation) {
	parts := strings.Split(strings.TrimPrefix(c.FullPath(), BasePath), "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	path := strings.Join(parts, "/")
	item := v.doc.Paths.Value(path)
	if item == nil {
		return path, nil, nil
	}
	return path, item, item.GetOperation(c.Request.Method)
}

// open tells whether the document lets everybody do this.
func (v *validator) open(c *gin.Context) bool {
	_, _, op := v.operation(c)
	return op != nil && op.Security != nil && len(*op.Security) == 0
}

// forTokens tells whether the document lets API tokens do this.
func (v *validator) forTokens(c *gin.Context) bool {
	_, _, op := v.operation(c)
	if op == nil {
		return true // OPTIONS, which the document leaves out
	}
	security := v.doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	return slices.ContainsFunc(security, func(r openapi3.SecurityRequirement) bool { _, ok := r["token"]; return ok })
}

// marked tells whether the operation has that extension, set to true.
func (v *validator) marked(c *gin.Context, extension string) bool {
	_, _, op := v.operation(c)
	return op != nil && op.Extensions[extension] == true
}

// validate refuses what the document does not allow.
func (s *Server) validate(c *gin.Context) {
	path, item, op := s.checks.operation(c)
	if op == nil {
		c.Next() // OPTIONS, which the document leaves out
		return
	}
	params := make(map[string]string, len(c.Params))
	for _, p := range c.Params {
		params[p.Key] = p.Value
	}
	err := openapi3filter.ValidateRequest(c.Request.Context(), &openapi3filter.RequestValidationInput{
		Request:    c.Request,
		PathParams: params,
		Route:      &routers.Route{Spec: s.checks.doc, Path: path, PathItem: item, Method: c.Request.Method, Operation: op},
		Options: &openapi3filter.Options{
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc, // signedIn has done it
			SkipSettingDefaults: true,
			KeepValidatedValue:  true,
		},
	})
	if err != nil {
		fail(c, invalid(err))
		return
	}
	received(c.Writer)
	c.Next()
}

// invalid says what is wrong without quoting the value, which may be a password.
func invalid(err error) *Error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errorOf(e)
	}
	out := &Error{Status: http.StatusBadRequest, Code: codeRequestInvalid, Detail: "The request is not as it must be."}
	e, ok := errors.AsType[*openapi3filter.RequestError](err)
	if !ok {
		return out
	}
	if strings.HasPrefix(e.Reason, "header Content-Type") {
		return &Error{Status: http.StatusUnsupportedMediaType, Code: codeMediaType, Detail: "The body is not of the type this address takes."}
	}
	where := "The body"
	if e.Parameter != nil {
		where = fmt.Sprintf("The parameter %q", e.Parameter.Name)
	}
	why := "cannot be read"
	if schema, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		why = "is not as it must be: " + schema.Reason
		if at := schema.JSONPointer(); e.Parameter == nil && len(at) > 0 {
			where = fmt.Sprintf("The member %q", strings.Join(at, "."))
		}
	} else if errors.Is(err, openapi3filter.ErrInvalidRequired) {
		why = "is missing"
	}
	out.Detail = where + " " + why + "."
	return out
}
