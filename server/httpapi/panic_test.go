package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/server/servertest"
)

func TestAPanicOfAHandlerIsInternal(t *testing.T) {
	core := servertest.New(t, nil)
	answer := httptest.NewRecorder()
	New(core.Server, nil).guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret of the handler") })).
		ServeHTTP(answer, httptest.NewRequest("GET", "/readyz", nil))
	if body := answer.Body.String(); answer.Code != 500 || !strings.Contains(body, `"code":"INTERNAL"`) || strings.Contains(body, "secret") {
		t.Errorf("%d %s", answer.Code, body)
	}
	if log := core.Log.String(); !strings.Contains(log, "secret of the handler") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}
