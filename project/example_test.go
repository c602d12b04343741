package project_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/scaffold"
)

// The whole life of a feature, from definitions to an answer.
func Example() {
	dir, err := os.MkdirTemp("", "shop-*")
	check(err)
	defer os.RemoveAll(dir)
	check(scaffold.Example(dir)) // definitions and sample data

	ctx := context.Background()
	p, err := project.Open(ctx, dir, project.Options{})
	check(err)
	defer p.Close()

	plan, err := p.Plan(ctx)
	check(err)
	_, err = p.Apply(ctx, plan, project.ApplyOptions{Message: "first"})
	check(err)
	churn := project.Selection{Service: "churn"}
	set, err := p.CreateTrainingSet(ctx, project.TrainingSetRequest{
		Name: "churn_2025", Selection: churn, Labels: filepath.Join(dir, "data/labels.parquet"), Out: filepath.Join(dir, "churn.parquet"),
	})
	check(err)
	_, err = p.Materialize(ctx, project.MaterializeRequest{To: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)})
	check(err)
	list, also, err := p.Serving(ctx, churn)
	check(err)
	keys := project.NewKeyRows(list, also)
	check(keys.AddText("customer_id=12003"))
	answer, err := p.Get(ctx, list, keys.Columns, project.GetOptions{})
	check(err)
	fmt.Println(set.Rows, "labels;", len(answer.Features), "features of a customer")
	// Output: 736 labels; 9 features of a customer
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
