//! What is measured: a model with its tokenizer, or a shape with random weights.

use anyhow::Result;
use hangtag_bench::Subject;
use hangtag_engine::Engine;
use hangtag_extract::Extractor;
use hangtag_weights::random::{RandomWeights, SHAPES, shape};

use crate::args::BenchArgs;
use crate::failure::{bad_input, failed};
use crate::model;

pub enum Loaded {
    Model(Box<Extractor>),
    Shape(Box<Engine>),
}

impl Loaded {
    pub fn load(args: &BenchArgs) -> Result<Self> {
        let Some(name) = &args.shape else {
            return Ok(Self::Model(Box::new(model::load(&args.model)?)));
        };
        let config = shape(name).ok_or_else(|| {
            bad_input(format!("--shape {name} is not known: choose among {}", SHAPES.join(", ")))
        })?;
        let gguf = pollster::block_on(RandomWeights::open(name, &config)).map_err(failed)?;
        let engine = model::load_engine(&args.model, &gguf, config)?;
        Ok(Self::Shape(Box::new(engine)))
    }

    pub fn subject(&mut self) -> Subject<'_> {
        match self {
            Self::Model(extractor) => Subject::Model(extractor),
            Self::Shape(engine) => Subject::Shape(engine),
        }
    }

    pub fn engine(&self) -> &Engine {
        match self {
            Self::Model(extractor) => extractor.engine(),
            Self::Shape(engine) => engine,
        }
    }
}
