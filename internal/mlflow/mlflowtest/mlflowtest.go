// Package mlflowtest is a small MLflow server for tests: the calls of its model registry that package mlflow makes.
package mlflowtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Server is a running server. Its fields may be changed while Lock is held.
type Server struct {
	URL string

	sync.Mutex
	Models map[string]*Model
	Refuse func(method, path string) (status int, body string) // nil or status 0: answer
	Calls  []string                                            // "GET model-versions/get"
	Header http.Header                                         // of the last call
}

// Model is a registered model.
type Model struct {
	Versions map[string]map[string]string // version → tags
	Aliases  map[string]string            // alias → version
}

// New starts a server on this machine. It stops at the end of the test.
func New(t testing.TB, models map[string]*Model) *Server {
	s := &Server{Models: models}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// failure is an answer that is not 200 OK.
type failure struct {
	Status  int    `json:"-"`
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	const prefix = "/api/2.0/mlflow/"
	if len(r.URL.Path) <= len(prefix) || r.URL.Path[:len(prefix)] != prefix {
		http.NotFound(w, r)
		return
	}
	path := r.URL.Path[len(prefix):]
	s.Calls, s.Header = append(s.Calls, r.Method+" "+path), r.Header
	if s.Refuse != nil {
		if status, body := s.Refuse(r.Method, path); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
	}
	parameters := map[string]string{}
	if r.Method == http.MethodGet {
		for name := range r.URL.Query() {
			parameters[name] = r.URL.Query().Get(name)
		}
	} else if err := json.NewDecoder(r.Body).Decode(&parameters); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer, failed := s.answer(r.Method+" "+path, parameters)
	if failed != nil {
		w.WriteHeader(failed.Status)
		answer = failed
	}
	_ = json.NewEncoder(w).Encode(answer)
}

type object = map[string]any

func (s *Server) answer(call string, p map[string]string) (any, *failure) {
	name, version := p["name"], p["version"]
	if call == "GET model-versions/search" {
		return object{"model_versions": s.search(p["filter"])}, nil
	}
	m := s.Models[name]
	if m == nil {
		return nil, &failure{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=" + name + " not found"}
	}
	switch call {
	case "GET registered-models/get":
		aliases := []object{}
		for _, alias := range slices.Sorted(maps.Keys(m.Aliases)) {
			aliases = append(aliases, object{"alias": alias, "version": m.Aliases[alias]})
		}
		return object{"registered_model": object{"name": name, "aliases": aliases}}, nil
	case "GET registered-models/alias":
		var known bool
		if version, known = m.Aliases[p["alias"]]; !known {
			return nil, &failure{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Registered model alias " + p["alias"] + " not found."}
		}
	}
	tags := m.Versions[version]
	if tags == nil {
		return nil, &failure{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Model Version (name=" + name + ", version=" + version + ") not found"}
	}
	switch call {
	case "GET registered-models/alias", "GET model-versions/get":
		return object{"model_version": wire(name, version, tags)}, nil
	case "POST model-versions/set-tag":
		tags[p["key"]] = p["value"]
	case "DELETE model-versions/delete-tag":
		delete(tags, p["key"])
	default:
		return nil, &failure{http.StatusNotFound, "ENDPOINT_NOT_FOUND", call}
	}
	return object{}, nil
}

func (s *Server) search(filter string) []object {
	out := []object{}
	for name, m := range s.Models {
		if filter != "name = '"+name+"'" {
			continue
		}
		for _, version := range slices.Backward(slices.Sorted(maps.Keys(m.Versions))) {
			out = append(out, wire(name, version, m.Versions[version]))
		}
	}
	return out
}

func wire(name, version string, tags map[string]string) object {
	list := []object{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, object{"key": key, "value": tags[key]})
	}
	return object{"name": name, "version": version, "tags": list}
}
