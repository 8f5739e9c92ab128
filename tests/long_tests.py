"""Which tests wait for ``make test-long``: the same as the default run on one more framework, whose compiling takes seconds each time.

One table, by file and function: the parameters, as a pattern that the brackets of the test's name hold; empty for the whole test.
"""

from __future__ import annotations

import re

LONG: dict[str, str] = {
    "test_activations.py::test_compiled": "tensorflow|jax",
    "test_activations.py::test_infinities_nan_and_signed_zero": "jax",
    "test_activations.py::test_value_and_derivatives": "float32.*jax|=.*jax",
    "test_activations_precision.py::test_bfloat16_is_kept_and_finite": "jax",
    "test_benchmarks.py::test_every_implementation_reaches_our_loss": "jax",
    "test_benchmarks.py::test_every_implementation_reaches_our_loss_with_other_activations": "jax",
    "test_blocks.py::test_a_block_computes_its_formula_and_learns_by_its_slope": "jax|tensorflow",
    "test_blocks.py::test_chains_train_to_the_same_numbers_on_every_backend": "",
    "test_complex.py::test_real_functions_through_complex_numbers_are_right_or_refused": "jax|tensorflow",
    "test_compositions.py::test_composition": "tensorflow|jax",
    "test_convert_command.py::test_every_format_into_every_other": "flax|nnx|equinox",
    "test_corpus.py::test_a_model_is_read_as_it_computes": "flax|nnx|equinox",
    "test_dtypes.py::test_a_resumed_run_ends_with_the_same_bits": "jax-",
    "test_dtypes.py::test_digits_are_learned_with_float32_master_parameters": "torch-float16|jax|tensorflow",
    "test_dtypes.py::test_outputs_and_gradients_keep_their_dtype_and_their_accuracy": "jax",
    "test_estimators.py::test_an_ensembles_first_member_is_the_single_network": "tensorflow|jax",
    "test_estimators.py::test_pickles_hold_numpy_arrays_and_load_where_the_backend_is_not": "jax|tensorflow",
    "test_estimators.py::test_target_scaling_is_standardising_by_hand": "jax",
    "test_estimators_dispatch.py::test_in_a_process_of_its_own": "",
    "test_estimators_policy.py::test_16_bits_are_trained_with_float32_masters_and_a_loss_scale": "torch|tensorflow|jax",
    "test_estimators_policy.py::test_a_network_that_is_trained_further_has_the_activation_and_dropout_of_now": "jax|tensorflow",
    "test_estimators_policy.py::test_a_partial_fit_takes_as_many_steps_as_its_own_rows_ask_for": "tensorflow",
    "test_estimators_policy.py::test_changing_rates_are_scikit_learns": "jax|tensorflow",
    "test_estimators_policy.py::test_ctrl_c_is_heard_between_steps_and_keeps_what_was_learned": "jax",
    "test_estimators_policy.py::test_divergence_raises_and_warns_of_nothing_else": "jax|tensorflow",
    "test_estimators_policy.py::test_every_solver_trains_the_same_on_every_backend": "tensorflow|jax-(?!adam$)",
    "test_estimators_policy.py::test_partial_fits_go_on_from_the_parameters_that_early_stopping_kept": "jax|tensorflow",
    "test_estimators_policy.py::test_pickling_between_partial_fits_changes_nothing": "jax",
    "test_estimators_policy.py::test_programs_are_shared_by_fits": "tensorflow|jax-poisson",
    "test_interop.py::test_files_of_nnx_and_equinox_are_those_of_the_libraries": "",
    "test_interop.py::test_flax_and_equinox_compute_the_same_and_come_back": "",
    "test_interop_optimizers.py::test_optax_on_parameters_of_flax": "",
    "test_interop_optimizers.py::test_to_optax_and_back_a_run_goes_on": "momentum",
    "test_interop_runs.py::test_a_run_moves_and_goes_on_with_the_same_numbers": "optax",
    "test_jit_torch.py::test_every_function_of_the_namespace": "inductor",
    "test_jit_torch.py::test_tails": "",
    "test_jit_torch.py::test_the_likelihood_of_a_gaussian_process": "inductor",
    "test_jit_torch.py::test_what_other_libraries_have_called_before_is_compiled": "",
    "test_lesson_code.py::test_the_code_for_a_library_gives_the_answer": "JAX|TensorFlow|jax|tensorflow",
    "test_lessons.py::test_the_numbers_of_each_lesson_on_each_backend": "tensorflow|jax",
    "test_losses.py::test_fit_is_the_same_on_every_library_with_weights": "jax",
    "test_losses.py::test_gradient_against_mpmath_and_autodiff": "jax",
    "test_losses.py::test_values_against_mpmath": "float32.*(jax|tensorflow)|(jax|tensorflow).*float32",
    "test_metrics.py::test_against_sklearn": "jax|tensorflow",
    "test_optimizer_groups.py::test_each_array_is_updated_as_by_an_optimizer_of_its_own": "jax|tensorflow",
    "test_optimizer_groups.py::test_fit_gives_the_same_on_every_library": "",
    "test_optimizer_groups.py::test_sixteen_bits": "jax|tensorflow",
    "test_optimizers.py::test_float32_stays_near_the_reference": "jax|tensorflow",
    "test_optimizers.py::test_float64_against_the_reference": "tensorflow",
    "test_own_names.py::test_a_compiled_program_is_not_shared_between_things_of_one_name": "tensorflow",
    "test_parity_mutants.py::test_a_mutant_of_compiled_programs_is_found": "",
    "test_programs.py::test_program": "tensorflow|jax|torch-fx|torch-aot_eager",
    "test_random_draws.py::test_a_window_of_a_draw_is_the_slice_of_the_draw": "jax",
    "test_schedules.py::test_arrays_and_compiled_code_agree_with_python_steps": "tensorflow",
    "test_search.py::test_each_candidate_ends_as_its_own_fit": "jax-True",
    "test_silent_numbers.py::test_an_estimator_does_not_decide_on_nan": "jax|tensorflow",
    "test_sweep.py::test_backends": "jax-adam",
    "test_table_files.py::test_an_estimator_comes_back_on_every_backend": "jax|tensorflow",
    "test_tabular.py::test_the_same_numbers_on_every_backend": "tensorflow|jax",
    "test_testing_plugin.py::test_dtype_and_device": "",
    "test_testing_plugin.py::test_the_project_passes_on_several_backends": "",
    "test_threads.py::test_fits_side_by_side_have_the_bits_of_fits_in_a_row": "every",
    "test_training.py::test_a_hundred_steps_end_at_the_same_parameters": "tensorflow-gelu|jax-gelu",
    "test_training.py::test_a_resumed_run_ends_with_the_same_bits": "tensorflow|adam-jax",
    "test_training.py::test_against_a_loop_written_by_hand": "tensorflow",
    "test_training.py::test_batches_from_a_callable": "tensorflow|jax",
    "test_training.py::test_every_engine_of_a_backend_agrees": "tensorflow|jax-(?!mse)",
    "test_training.py::test_members_of_an_ensemble_train_like_single_networks": "tensorflow|jax",
    "test_training.py::test_members_that_diverge_do_not_hide_the_others": "tensorflow",
    "test_training.py::test_memory_mapped_data_trains_like_data_in_memory": "tensorflow|jax",
    "test_training.py::test_schedules_of_the_same_name_share_no_program": "tensorflow|jax",
    "test_verify.py::test_equal_models_are_equal": "ours against (flax|equinox)$",
}


def is_long(file: str, name: str) -> bool:
    """Whether the test of that name, with its brackets, is in the table."""
    function, _, parameters = name.partition("[")
    pattern = LONG.get(f"{file}::{function}")
    return pattern is not None and re.search(pattern, parameters.removesuffix("]")) is not None
