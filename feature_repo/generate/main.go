// The generate command writes the sample data of the example repo: go run ./feature_repo/generate [-size small] [DIR].
package main

import (
	"flag"
	"fmt"
	"os"

	featurerepo "github.com/fstore-dev/fstore/feature_repo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	name := flags.String("size", "demo", "small (20,000 lines) or demo (500,000)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir := "feature_repo/data"
	if flags.NArg() > 0 {
		dir = flags.Arg(0)
	}
	size, ok := map[string]featurerepo.Size{"small": featurerepo.Small, "demo": featurerepo.Demo}[*name]
	if !ok {
		return fmt.Errorf("-size %q: small or demo", *name)
	}
	sample := featurerepo.Generate(size)
	if err := sample.Write(dir); err != nil {
		return err
	}
	fmt.Printf("%s: %d invoice lines, %d states of %d customers, %d products, %d labels\n",
		dir, len(sample.Lines), len(sample.Customers), size.Customers, len(sample.Products), len(sample.Labels))
	return nil
}
