package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

const describePath = "/v1/describe"

// described is the body of an answer of POST /v1/describe.
type described struct {
	*fstore.Description
	Service fstore.ViewRef  `json:"service,omitzero"`
	Model   fstore.ModelRef `json:"model,omitzero"`
}

// postDescribe answers POST /v1/describe: a service, a model or features, as in a look-up.
func (a *API) postDescribe(w http.ResponseWriter, r *http.Request) {
	a.answerJSON(w, r, httpDescribe, &jsonCall{answer: func(ctx context.Context, req *jsonRequest, h *server.Hold) (*[]byte, error) {
		if len(req.entities) > 0 {
			return nil, fstore.Errorf(fstore.ErrInvalid, "a description has no entities").WithHint(`such as {"service":"churn"}`)
		}
		t, err := a.named(ctx, req)
		if err != nil {
			return nil, err
		}
		return a.core.Written(ctx, h, func(dst []byte) ([]byte, error) {
			answer, err := json.Marshal(described{t.List.Describe(), t.List.Service, t.List.Model})
			return append(append(dst, answer...), '\n'), err
		})
	}})
}
