package deploy

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// dashboard is what the tests read of one.
type dashboard struct {
	ID         *int
	UID, Title string
	Tags       []string
	Templating struct {
		List []struct{ Name, Type, Query any }
	}
	Panels []struct {
		ID          int
		Type, Title string
		Datasource  *source
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct {
			RefID      string `json:"refId"`
			Expr       string
			Datasource source
		}
	}
}

// source is where a panel or a query gets its data.
type source struct{ Type, UID string }

func dashboards(t testing.TB) (all []dashboard) {
	t.Helper()
	files, err := filepath.Glob(folder + "/grafana/*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	for _, file := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(read(t, file)), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.UID+".json" != filepath.Base(file) {
			t.Errorf("%s has the uid %s: files are named by it", file, d.UID)
		}
		all = append(all, d)
	}
	return all
}

// A portable dashboard has no id of its own and a uid that stays, and takes its data source from a variable: so it can be imported by
// hand, or provisioned from a file.
func TestDashboardsArePortable(t *testing.T) {
	const variable = "${datasource}"
	for _, d := range dashboards(t) {
		if d.ID != nil {
			t.Errorf("%s has an id", d.UID)
		}
		if v := d.Templating.List; len(v) == 0 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[0].Query != "prometheus" {
			t.Errorf("%s: the first variable is not its data source: %v", d.UID, v)
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", d.UID, p.ID)
			}
			ids[p.ID] = true
			at := p.GridPos
			if at.W < 1 || at.X+at.W > 24 {
				t.Errorf("%s: %q is not within the 24 columns", d.UID, p.Title)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %q lies on %q", d.UID, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Datasource == nil || p.Datasource.UID != variable || len(p.Targets) == 0 {
				t.Errorf("%s: %q has the data source %v and %d queries", d.UID, p.Title, p.Datasource, len(p.Targets))
			}
			for _, q := range p.Targets {
				if q.Datasource.UID != variable || !strings.Contains(q.Expr, `job=~"$job"`) {
					t.Errorf("%s: query %s of %q does not use the variables: %s", d.UID, q.RefID, p.Title, q.Expr)
				}
			}
		}
	}
}
