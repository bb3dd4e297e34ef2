//! Products for tests.

use hangtag_task::Product;

/// A product; `features` is JSON.
pub fn product(id: &str, category: &str, text: &str, features: &str) -> Product {
    let text = serde_json::to_string(text).unwrap();
    let json =
        format!(r#"{{"id":"{id}","category":"{category}","text":{text},"features":{features}}}"#);
    Product::from_json(&json).unwrap()
}
