package deploy

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/test/program"
	"github.com/goccy/go-yaml"
)

var update = flag.Bool("update", false, "write deploy/kubernetes/fstore.yaml anew, from the chart")

const (
	chart     = folder + "/helm/fstore"
	manifests = folder + "/kubernetes/fstore.yaml"
)

// helm returns what a helm command prints. make test-deploy builds helm; without it these tests are left out.
func helm(t testing.TB, args ...string) string {
	t.Helper()
	bin := os.Getenv("FSTORE_HELM")
	if bin == "" {
		t.Skip("make test-deploy runs this with helm (FSTORE_HELM)")
	}
	cmd := exec.Command(bin, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func template(t testing.TB, set ...string) string {
	t.Helper()
	args := []string{"template", "fstore", chart, "--namespace", "features", "--kube-version", "1.31.0"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	return helm(t, args...)
}

// The plain manifests are those of the chart, with its defaults.
func TestThePlainManifestsAreThoseOfTheChart(t *testing.T) {
	var want strings.Builder
	want.WriteString("# Made from deploy/helm/fstore with its defaults: go test ./test/deploy -run PlainManifests -update\n")
	for line := range strings.Lines(template(t)) {
		if !strings.HasPrefix(line, "# Source:") && !strings.Contains(line, "managed-by: Helm") {
			want.WriteString(line)
		}
	}
	if *update {
		if err := os.WriteFile(manifests, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, manifests) != want.String() {
		t.Errorf("%s is not what the chart makes: run this test with -update", manifests)
	}
}

// Helm finds no mistake, and Kubernetes' schemas take what the chart makes, of the oldest version that it is for and of a new one.
func TestTheChartIsValid(t *testing.T) {
	helm(t, "lint", "--strict", chart)
	validate := need(t, "kubernetes-validate", "make test-deploy installs it: it is a package of Python")
	for name, set := range map[string][]string{
		"defaults": nil,
		"all": {
			"autoscaling.enabled=true", "server.feast=true", "tls.none=true", "auth.none=true", "server.hosts={features.example.com}",
			"settings.FSTORE_SERVE_CACHE=64MB", "imagePullSecrets[0].name=pull", "server.nodeSelector.pool=serving",
			"server.tolerations[0].operator=Exists", "registry.storageClass=nfs", "materialize.state.storageClass=ssd",
			"extraEnv[0].name=AWS_SECRET_ACCESS_KEY", "extraEnv[0].valueFrom.secretKeyRef.name=s3", "extraEnv[0].valueFrom.secretKeyRef.key=secret",
			"materialize.volumes[0].name=data", "materialize.volumes[0].persistentVolumeClaim.claimName=data",
			"materialize.volumeMounts[0].name=data", "materialize.volumeMounts[0].mountPath=/data",
		},
		"least": {"networkPolicy.enabled=false", "registry.existingClaim=r", "materialize.state.existingClaim=s", "materialize.apply=false"},
	} {
		path := filepath.Join(t.TempDir(), name+".yaml")
		write(t, filepath.Dir(path), map[string]string{filepath.Base(path): template(t, set...)})
		for _, version := range []string{"1.31", "1.37"} {
			out, err := exec.Command(validate, "--strict", "-k", version, path).CombinedOutput()
			if err != nil || strings.Count(string(out), "passed") < 5 {
				t.Errorf("%s, Kubernetes %s: %v\n%s", name, version, err, out)
			}
		}
	}
	if monitor := template(t, "serviceMonitor.enabled=true", "serviceMonitor.labels.release=prometheus"); !strings.Contains(monitor, "kind: ServiceMonitor") {
		t.Error("there is no ServiceMonitor")
	}
}

// object is what the tests read of one of Kubernetes.
type object struct {
	Kind string
	Spec struct {
		Template    podTemplate
		JobTemplate struct {
			Spec struct {
				Template         podTemplate
				PodFailurePolicy struct{ Rules []failureRule } `yaml:"podFailurePolicy"`
			}
		} `yaml:"jobTemplate"`
	}
}

type podTemplate struct {
	Spec struct {
		InitContainers  []container `yaml:"initContainers"`
		Containers      []container
		SecurityContext struct {
			RunAsNonRoot bool `yaml:"runAsNonRoot"`
		} `yaml:"securityContext"`
		Volumes []struct{ Name string }
	}
}

type container struct {
	Name          string
	Args, Command []string
	Env           []struct{ Name, Value string }
	VolumeMounts  []struct {
		Name string
	} `yaml:"volumeMounts"`
	SecurityContext struct {
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
	} `yaml:"securityContext"`
}

type failureRule struct {
	Action      string
	OnExitCodes struct {
		ContainerName string `yaml:"containerName"`
		Operator      string
		Values        []int
	} `yaml:"onExitCodes"`
}

func objects(t testing.TB, path string) (all []object) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, path)))
	for {
		var o object
		err := decoder.Decode(&o)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, o)
	}
}

// Every container runs a command that there is, or a script that a shell can read, with settings that there are; none is root or
// can write to its root file system.
func TestManifestsRunCommandsThatThereAre(t *testing.T) {
	bin := program.Built(t)
	settings := read(t, "../../docs/configuration.md")
	var commands []string
	for _, o := range objects(t, manifests) {
		for _, pod := range []podTemplate{o.Spec.Template, o.Spec.JobTemplate.Spec.Template} {
			var volumes []string
			for _, v := range pod.Spec.Volumes {
				volumes = append(volumes, v.Name)
			}
			for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
				where := o.Kind + ", container " + c.Name
				if s := c.SecurityContext; !pod.Spec.SecurityContext.RunAsNonRoot || !s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
					t.Errorf("%s may do too much: %+v", where, s)
				}
				for _, v := range c.VolumeMounts {
					if !slices.Contains(volumes, v.Name) {
						t.Errorf("%s mounts %s, which is no volume", where, v.Name)
					}
				}
				for _, v := range c.Env {
					if !strings.Contains(settings, "`"+v.Name+"`") {
						t.Errorf("%s: docs/configuration.md has no %s", where, v.Name)
					}
				}
				run := exec.Command(bin, append(c.Args, "--help")...)
				if len(c.Command) > 0 {
					run = exec.Command("sh", "-n", "-c", c.Command[len(c.Command)-1])
				} else {
					commands = append(commands, c.Args[0])
				}
				if out, err := run.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", where, err, out)
				}
			}
		}
	}
	if want := []string{"serve", "apply", "materialize"}; !slices.Equal(commands, want) {
		t.Errorf("the commands are %q, want %q", commands, want)
	}
}

// The CronJob gives up after the same exit statuses as that of examples/orchestration, which a test holds against docs/cli.md, and for
// each container that runs fstore.
func TestTheCronJobRetriesAsTheExample(t *testing.T) {
	rulesOf := func(path string) map[string]string {
		rules := map[string]string{}
		for _, o := range objects(t, path) {
			for _, r := range o.Spec.JobTemplate.Spec.PodFailurePolicy.Rules {
				rules[r.OnExitCodes.ContainerName] = fmt.Sprint(r.Action, r.OnExitCodes.Operator, r.OnExitCodes.Values)
			}
		}
		return rules
	}
	example, got := rulesOf("../../examples/orchestration/cronjob.yaml"), rulesOf(manifests)
	for _, name := range []string{"", "fstore"} { // "" is the rule of pods on a node that is drained
		if example[name] == "" || got[name] != example[name] {
			t.Errorf("container %q: got %q, want %q", name, got[name], example[name])
		}
	}
	if got["apply"] != example["fstore"] {
		t.Errorf("apply: got %q, want %q", got["apply"], example["fstore"])
	}
}

// The job sends a copy of the registry, and each server takes it, once.
func TestTheScriptsOfTheManifestsMoveTheRegistry(t *testing.T) {
	sqlite := need(t, "sqlite3", "apt-get install sqlite3")
	r := newShop(t)
	dir := t.TempDir()
	for _, name := range []string{"shared", "server", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	place := strings.NewReplacer("/registry/registry", dir+"/shared/registry", "/tmp/", dir+"/tmp/", "sqlite3", sqlite, "sleep 5 & wait $!", "break")
	run := func(kind, in string) {
		t.Helper()
		for _, o := range objects(t, manifests) {
			if o.Kind != kind {
				continue
			}
			for _, pod := range []podTemplate{o.Spec.Template, o.Spec.JobTemplate.Spec.Template} {
				for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
					if c.Name != "registry" {
						continue
					}
					cmd := exec.Command("sh", "-c", place.Replace(c.Command[len(c.Command)-1]))
					cmd.Dir = in
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%s: %v\n%s", kind, err, out)
					}
				}
			}
		}
	}
	served := filepath.Join(dir, "server", "registry.db")
	run("Deployment", filepath.Join(dir, "server")) // the job has not run yet
	if _, err := os.Stat(served); !os.IsNotExist(err) {
		t.Fatalf("there is a registry before the first run: %v", err)
	}
	for range 2 { // the second run replaces what the first has sent
		if err := os.RemoveAll(filepath.Join(dir, "tmp", "registry.db")); err != nil { // each pod has a /tmp of its own
			t.Fatal(err)
		}
		run("CronJob", filepath.Join(r.dir, ".fstore"))
		run("Deployment", filepath.Join(dir, "server"))
		first, err := os.Stat(served)
		if err != nil {
			t.Fatal(err)
		}
		run("Deployment", filepath.Join(dir, "server"))
		if again, err := os.Stat(served); err != nil || !os.SameFile(first, again) {
			t.Errorf("a registry that has not changed was copied again: %v", err)
		}
		if got, want := r.must("list", "services", "--registry", "sqlite://"+served), r.must("list", "services"); got != want {
			t.Errorf("the copy has\n%swant\n%s", got, want)
		}
		write(t, r.dir, map[string]string{"more.yaml": "kind: feature_service\nname: more\nfeatures: [customer_totals.*]\n"})
		r.must("apply", "--yes")
	}
}
