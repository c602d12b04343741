// Package openlineage reports runs to an OpenLineage server: what began, what it read and wrote, and how it ended. Reporting
// never delays a program beyond a bound, and never fails it. Events name data sets, columns and counts; they hold no value of
// a row.
package openlineage

import (
	"net/url"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Config says where events go. The zero value sends none.
type Config struct {
	URL       *url.URL // of the server and the endpoint; nil: send nothing
	APIKey    string   // sent as a bearer token; "": none
	Namespace string   // of jobs, and of data sets that are no files
	Parent    *RunRef  // the run of the scheduler's task that this program is; nil: none
}

// RunRef names a run.
type RunRef struct{ Namespace, Job, RunID string }

// The variables that the clients of OpenLineage read.
const (
	urlVariable       = "OPENLINEAGE_URL"
	endpointVariable  = "OPENLINEAGE_ENDPOINT"
	keyVariable       = "OPENLINEAGE_API_KEY"
	namespaceVariable = "OPENLINEAGE_NAMESPACE"
	disabledVariable  = "OPENLINEAGE_DISABLED"
	parentVariable    = "OPENLINEAGE_PARENT_ID"
)

// FromEnvironment reads the configuration as the Python client of OpenLineage does. Without a URL, or if events are disabled,
// nothing is sent.
func FromEnvironment(lookup func(string) (string, bool)) (Config, error) {
	value := func(name, without string) string {
		if v, ok := lookup(name); ok && strings.TrimSpace(v) != "" {
			return strings.TrimSpace(v)
		}
		return without
	}
	given := value(urlVariable, "")
	if given == "" || strings.EqualFold(value(disabledVariable, ""), "true") {
		return Config{}, nil
	}
	base, err := url.Parse(given)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return Config{}, fstore.Errorf(fstore.ErrUsage, "%s is not the URL of a server", urlVariable).WithHint("for example http://localhost:5000")
	}
	endpoint := value(endpointVariable, "api/v1/lineage")
	c := Config{APIKey: value(keyVariable, ""), Namespace: value(namespaceVariable, "default")}
	if c.URL, err = base.Parse(endpoint); err != nil {
		return Config{}, fstore.Errorf(fstore.ErrUsage, "%s=%s is not a path", endpointVariable, endpoint).WithHint("the default is api/v1/lineage")
	}
	if parent := value(parentVariable, ""); parent != "" {
		if c.Parent = parseRun(parent); c.Parent == nil {
			return Config{}, fstore.Errorf(fstore.ErrUsage, "%s=%s is not NAMESPACE/JOB/RUN-ID", parentVariable, parent).
				WithHint("Airflow's macro lineage_parent_id gives it")
		}
	}
	return c, nil
}

// parseRun reads namespace/job/id, where only the namespace may have a slash. It returns nil for other texts.
func parseRun(s string) *RunRef {
	s, id := cutLast(s)
	namespace, job := cutLast(s)
	if namespace == "" || job == "" || !isUUID(id) {
		return nil
	}
	return &RunRef{namespace, job, id}
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	return s[:max(i, 0)], s[i+1:]
}
