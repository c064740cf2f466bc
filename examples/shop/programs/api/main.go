// The shop's API: products from a ConfigMap, orders taxed by the tax function and signed with a Secret.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

type product struct {
	Name  string `json:"name"`
	Cents int    `json:"cents"`
}

type order struct {
	Product  string `json:"product"`
	Quantity int    `json:"quantity"`
	Country  string `json:"country"`
}

type bill struct {
	order
	Net     int    `json:"net"`
	Tax     int    `json:"tax"`
	Gross   int    `json:"gross"`
	Receipt string `json:"receipt"`
	Server  string `json:"server"`
}

const largestBody = 1 << 16

var (
	client = http.Client{Timeout: 5 * time.Second}
	report = struct {
		sync.Mutex
		text string
	}{}
)

func products() ([]product, error) {
	text, err := os.ReadFile("/etc/shop/products.json")
	if err != nil {
		return nil, err
	}
	var list []product
	return list, json.Unmarshal(text, &list)
}

func price(wanted order) (int, error) {
	list, err := products()
	if err != nil {
		return 0, err
	}
	for _, each := range list {
		if each.Name == wanted.Product {
			return each.Cents * wanted.Quantity, nil
		}
	}
	return 0, fmt.Errorf("no product is called %q", wanted.Product)
}

func tax(country string, net int) (int, error) {
	query := url.Values{"country": {country}, "cents": {strconv.Itoa(net)}}
	answer, err := client.Get(os.Getenv("TAX_URL") + "/tax?" + query.Encode())
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return 0, fmt.Errorf("tax: %s", text)
	}
	var result struct{ Tax int }
	return result.Tax, json.NewDecoder(answer.Body).Decode(&result)
}

func receipt(wanted order, gross int) string {
	mac := hmac.New(sha256.New, []byte(os.Getenv("RECEIPT_KEY")))
	fmt.Fprintf(mac, "%s %d %s %d", wanted.Product, wanted.Quantity, wanted.Country, gross)
	return hex.EncodeToString(mac.Sum(nil))
}

func settle(wanted order) (bill, error) {
	if wanted.Quantity < 1 || wanted.Quantity > 1000 {
		return bill{}, fmt.Errorf("quantity must lie between 1 and 1000")
	}
	net, err := price(wanted)
	if err != nil {
		return bill{}, err
	}
	due, err := tax(wanted.Country, net)
	if err != nil {
		return bill{}, err
	}
	return bill{wanted, net, due, net + due, receipt(wanted, net+due), os.Getenv("POD")}, nil
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

func main() {
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("GET /products", func(w http.ResponseWriter, _ *http.Request) {
		list, err := products()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, list)
	})
	http.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var wanted order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestBody)).Decode(&wanted); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		settled, err := settle(wanted)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer(w, settled)
	})
	http.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(io.LimitReader(r.Body, largestBody))
		report.Lock()
		defer report.Unlock()
		report.text = string(text)
	})
	http.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		report.Lock()
		defer report.Unlock()
		fmt.Fprint(w, report.text)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
