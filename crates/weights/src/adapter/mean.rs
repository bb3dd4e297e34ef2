//! The mean of several adapters.

use super::{Adapter, AdapterError};

impl Adapter {
    /// The mean of this adapter and `others`, factor by factor ("model soup", <https://arxiv.org/abs/2203.05482>).
    ///
    /// Of adapters that were trained on from the same one, with other seeds: only then do their factors mean the same, and is
    /// the mean of the factors near that of their products.
    ///
    /// # Errors
    /// When another adapter differs in anything but its dropout: the error names what.
    pub fn mean(mut self, others: &[Adapter]) -> Result<Adapter, AdapterError> {
        for other in others {
            self.alike(other)?;
        }
        let share = 1.0 / (others.len() + 1) as f32;
        for (place, lora) in &mut self.modules {
            // `alike` has seen that all have the same modules of the same sizes.
            let theirs = || others.iter().filter_map(|other| other.modules.get(place));
            average(&mut lora.a, theirs().map(|lora| &lora.a[..]), share);
            average(&mut lora.b, theirs().map(|lora| &lora.b[..]), share);
        }
        Ok(self)
    }

    fn alike(&self, other: &Adapter) -> Result<(), AdapterError> {
        let (own, its) = (&self.config, &other.config);
        let differ = |setting: &'static str, first: String, other: String| {
            Err(AdapterError::Different { setting, first, other })
        };
        if own.base != its.base {
            return differ("base_model_name_or_path", own.base.clone(), its.base.clone());
        }
        if self.task_version != other.task_version {
            let [first, other] = [self, other].map(|adapter| adapter.task_version.to_string());
            return differ("the version of the questions", first, other);
        }
        if own.r != its.r {
            return differ("r", own.r.to_string(), its.r.to_string());
        }
        if own.lora_alpha != its.lora_alpha {
            return differ("lora_alpha", own.lora_alpha.to_string(), its.lora_alpha.to_string());
        }
        if own.use_rslora != its.use_rslora {
            return differ("use_rslora", own.use_rslora.to_string(), its.use_rslora.to_string());
        }
        let modules = |adapter: &Adapter| {
            let sizes = |lora: &super::Lora| (lora.a.len(), lora.b.len());
            adapter.modules.iter().map(|(place, lora)| (*place, sizes(lora))).collect::<Vec<_>>()
        };
        if modules(self) != modules(other) {
            let count = |adapter: &Adapter| format!("{} modules", adapter.modules.len());
            return differ("target_modules", count(self), format!("{} others", count(other)));
        }
        Ok(())
    }
}

fn average<'a>(own: &mut [f32], others: impl Iterator<Item = &'a [f32]>, share: f32) {
    for other in others {
        own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
    }
    own.iter_mut().for_each(|own| *own *= share);
}

#[cfg(test)]
mod tests {
    use crate::adapter::{Adapter, AdapterConfig, Linear, Lora};
    use std::collections::BTreeMap;

    fn adapter(a: f32, b: f32) -> Adapter {
        let config = AdapterConfig {
            base: "org/base".to_owned(),
            r: 1,
            lora_alpha: 2.0,
            lora_dropout: 0.0,
            use_rslora: false,
            targets: [Linear::V].into(),
        };
        let lora = Lora { a: vec![a; 2], b: vec![b; 3] };
        Adapter { config, task_version: 1, modules: BTreeMap::from([((0, Linear::V), lora)]) }
    }

    #[test]
    fn each_factor_is_the_mean_of_all() {
        let mean = adapter(1.0, -4.0).mean(&[adapter(2.0, 0.0), adapter(6.0, 1.0)]).unwrap();
        assert_eq!(mean, adapter(3.0, -1.0));
        assert_eq!(adapter(1.0, 2.0).mean(&[]).unwrap(), adapter(1.0, 2.0));
    }

    #[test]
    fn what_differs_is_named() {
        let error = |change: &dyn Fn(&mut Adapter)| {
            let mut other = adapter(1.0, 1.0);
            change(&mut other);
            adapter(1.0, 1.0).mean(&[other]).unwrap_err().to_string()
        };
        assert!(error(&|other| other.config.base = "org/other".to_owned()).contains("org/other"));
        assert!(error(&|other| other.task_version = 2).contains("version of the questions is 1"));
        assert!(error(&|other| other.config.r = 2).contains(": r is 1 in the first and 2"));
        assert!(error(&|other| other.config.lora_alpha = 8.0).contains("lora_alpha is 2"));
        assert!(error(&|other| other.config.use_rslora = true).contains("use_rslora"));
        let more = |other: &mut Adapter| {
            other.modules.insert((1, Linear::V), Lora { a: vec![1.0; 2], b: vec![1.0; 3] });
        };
        assert!(error(&more).contains("target_modules"));
        let longer = |other: &mut Adapter| {
            other.modules.values_mut().for_each(|lora| lora.b.push(1.0));
        };
        assert!(error(&longer).contains("target_modules"));
    }
}
