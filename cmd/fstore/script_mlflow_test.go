package main

import (
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/fstore-dev/fstore/internal/mlflow/mlflowtest"
	"github.com/rogpeppe/go-internal/testscript"
)

// mlflows has the servers of all scripts, by their address.
var mlflows sync.Map

// toMLflow changes or checks the MLflow server of a script:
//
//	mlflow start                      starts it, without models, and sets MLFLOW_TRACKING_URI
//	mlflow fraud/7 [TAG=VALUE…]       makes a version, with these tags
//	mlflow fraud@champion [VERSION]   moves an alias, or removes it
//	[!] mlflow has fraud/7 TAG=VALUE  checks a tag
//	mlflow refuse METHOD|-            refuses calls of a method, or of none
func toMLflow(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "start" {
		s := &mlflowtest.Server{Models: map[string]*mlflowtest.Model{}}
		server := httptest.NewServer(s)
		ts.Defer(server.Close)
		ts.Setenv("MLFLOW_TRACKING_URI", server.URL)
		mlflows.Store(server.URL, s)
		return
	}
	stored, _ := mlflows.Load(ts.Getenv("MLFLOW_TRACKING_URI"))
	s := stored.(*mlflowtest.Server)
	s.Lock()
	defer s.Unlock()
	switch args[0] {
	case "has":
		name, version, _ := strings.Cut(args[1], "/")
		tag, value, _ := strings.Cut(args[2], "=")
		if got := s.Models[name].Versions[version][tag]; (got == value) == neg {
			ts.Fatalf("%s of %s is %q", tag, args[1], got)
		}
		return
	case "refuse":
		s.Refuse = func(method, _ string) (int, string) {
			if method == args[1] {
				return 503, ""
			}
			return 0, ""
		}
		return
	}
	if name, alias, ok := strings.Cut(args[0], "@"); ok {
		delete(s.Models[name].Aliases, alias)
		if len(args) > 1 {
			s.Models[name].Aliases[alias] = args[1]
		}
		return
	}
	name, version, _ := strings.Cut(args[0], "/")
	if s.Models[name] == nil {
		s.Models[name] = &mlflowtest.Model{Versions: map[string]map[string]string{}, Aliases: map[string]string{}}
	}
	tags := map[string]string{}
	for _, arg := range args[1:] {
		tag, value, _ := strings.Cut(arg, "=")
		tags[tag] = value
	}
	s.Models[name].Versions[version] = tags
}
