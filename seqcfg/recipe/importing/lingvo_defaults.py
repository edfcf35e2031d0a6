"""What Lingvo's settings must say for seqcfg's base `transformer_lingvo` to do the same."""

from __future__ import annotations

# The last part of a key -> the values under which the base does what Lingvo does.
ACCEPTED: dict[str, set[str]] = {}
_BY_VALUE = {
    "False": """
        add_unnormalized_input affine_last apply_pruning apply_source_mask atten_dropout_deterministic batch_norm
        defer_global_step_update direct_scale dropout_at_eval enable_vn ensure_full_beam feed_attention_context_vec_to_softmax
        filter_sparse_tensors force_eos_in_last_step force_eos_in_top_k force_last_chunk_eoc_in_top_k freeze_bn_stats
        frequency_scaling gamma_one_init gamma_zero_init global_vn has_aux_atten has_aux_attention has_bias
        individually_tagged_input init_step_ids is_decoder is_masked is_transparent keep_per_example_loss ln_output mask_self_atten
        memory_augmentation merge_paths packed_input per_step_vn primer_hybrid_norm task_global_step
        terminate_beams_independently trainable_scaling
        use_batch_norm_backend use_bd_mix use_block_diagonal_matmul use_blocked_matmul use_lang_dependent_atten
        use_moving_avg_in_training use_recurrent use_source_vec_as_attention_value use_stop_fn use_within_batch_mixing weight_norm
        zero_token_embs_first_time_step
    """,
    "NoneType": """
        add_stats_to_moving_average_variables atten_context atten_logit_cap b_compression batch_mixing_partition_boundaries
        batch_norm bn_fold_weights bprop_variable_exclusion bprop_variable_filter c_compression cyclical_step d_compression
        decay_end default ema_decay_moving_vars ema_schedule file_datasource fprop_dtype fullyconnected grad_norm_tracker has_bias
        input l1_regularizer_weight l2_regularizer_weight learner ln_input logits logits_abs_max memory ngram_vocab_filepath
        noise_shape noise_shape_broadcast_dims online_encoder pruning_hparams_dict residual_function shared_emb skip_connections
        skip_lp_regularization softmax task_emb token_id_uncertainty_larger tr_aux_atten_tpl tr_post_ln_tpl w_dtype weight
    """,
    "True": """
        add_skip_connection all_zero_source_id_without_within_batch_mixing allow_empty_terminated_hyp append_eos batch_norm bias
        bias_only_if_consistent center enable_ctx_post_proj enable_ctx_pre_proj enable_per_dim_scale enable_query_proj
        enable_source_proj load_token_ids_from_vocab per_word_avg_loss pre_layer_norm scale_gradients scale_sqrt_depth
        set_padded_output_to_zero trainable_scale_and_bias use_bias use_dim_scale weighted_merger_softmax
    """,
    "0": """
        atten_hidden_dim bias_init ctx_post_proj_dim dim mask_ngram_order min_steps num_sampled num_sources num_tasks query_dim
        short_seq_limit source_mask_id start_step target_seq_len target_unk_id top_k window
    """,
    "0.0": """
        atten_dropout_prob bias_init coverage_penalty grad_norm_to_clip_to_zero logits_soft_max minimal_prob relu_dropout_prob
        residual_droppath_prob tolerance vn_std
    """,
    "1.0": """
        global_weight_scale keep_prob nucleus_p residual_weight target_seq_length_ratio temperature trainable_scaling_init
    """,
    "1": """
        bd_num_blocks min_timescale num_aux_atten_post_proj num_post_proj target_sos_id worker_replicas
    """,
    "-1": """
        attention_head_prob_index repeat_count target_eoc_id target_wb_id
    """,
    "{}": """
        init_from_checkpoint_rules tokenizer_dict
    """,
    "' '": """
        tokens_delimiter
    """,
    "''": """
        ngram_separator
    """,
    "'RELU'": """
        activation
    """,
    "'gaussian'": """
        method
    """,
    "'xavier'": """
        method
    """,
    "'default'": """
        proj_init
    """,
    "'func'": """
        unidi_rnn_type
    """,
    "'future'": """
        mask_type
    """,
    "-0.5": """
        decay_factor
    """,
    "-100.0": """
        local_eos_threshold
    """,
    "0.1": """
        weighted_merger_dropout_prob
    """,
    "0.999": """
        decay
    """,
    "10000": """
        max_timescale
    """,
    "1024": """
        block_dim
    """,
    "2": """
        target_eos_id
    """,
    "200000000": """
        vn_start_step
    """,
    "300": """
        target_max_length
    """,
    "6": """
        num_transparent_outputs
    """,
    "['RELU', 'NONE']": """
        activation
    """,
    "float32": """
        dtype
    """,
}
for _value, _names in _BY_VALUE.items():
    for _name in _names.split():
        ACCEPTED.setdefault(_name, set()).add(_value)

# The last part of a key that changes where or how fast something is computed, what is logged or kept, but not what is learnt.
_MACHINERY = """
    activation_split_dims_mapping activation_split_dims_mapping_list add_multiheaded_attention_scalar_summary add_name_to_theta
    add_summary_in_apply add_weight_summaries allow_implicit_capture async_checkpointing atten_vecs_in_hypothesis_protos
    batch_major_compute batch_major_state bucket_adjust_every_n checkpoint_finite_check child_variable_scope_override chunk_size
    clear_variable_scope colocate_gradients_with_ops decode_all_checkpoints decoder_samples_per_summary device_mesh
    enable_cross_replica_sum_on_tpu enqueue_max_steps eps_fail_safe eval_all_checkpoints eval_samples_per_summary file_buffer_size
    file_buffer_size_in_seconds file_parallelism file_random_seed flush_every_n gate_gradients grad_aggregation_method
    inference_driver_name init_from_checkpoint_override input_stats_summary_interval_steps is_inference jobname
    learner_use_variable_scope load_checkpoint_from local_filesystem logdir logging_interval max_inflights_per_target
    max_num_shards merged_topk_buffer_size_factor metric minimize name natural_order_model num_batcher_threads num_partitions
    num_samples num_shards on_ps outfeed_in_logical_order pad_to_max_length pad_to_max_seq_length per_example_tensors random_seed
    remote reorder_tarzan_states resettable samples_per_summary save_keep_checkpoint_every_n_hours start_decoder_after
    start_eval_after start_up_delay_steps stochastic_beam_search_top_k summary_interval_steps tfevent_file token_vocab_filepath
    top_k_renormalize tpu_computation_shape tpu_device_order_mode tpu_embedding_mode tpu_infeed_parallelism tpu_steps_per_loop
    use_bf16_gradients_ar use_defun use_einsum use_fused_batch_norm_for_eval use_fused_layernorm use_num_classes_major_weight
    use_partitioned_infeed_queue use_per_core_infeed use_per_host_infeed use_tf_data_service use_tpu_embedding_v2 verbose
    weight_split_dims_mapping weight_split_dims_mapping_list xla_num_partitions
"""
MACHINERY = set(_MACHINERY.split())

# Classes whose behaviour the base has, and classes of parts that it has no use for.
_CLASSES = """
    Adam BatchNormLayer BeamSearchHelper DotProductAttention DropoutLayer EarlyStop EmbeddingLayer FeedForwardNet
    GreedySearchHelper LayerNorm MultiHeadedAttention NmtInput PositionalEmbeddingLayer ProjectionLayer SimpleFullSoftmax
    SingleTaskModel TargetSequenceSampler TransformerAttentionLayer TransformerDecoder TransformerEncoder
    TransformerFeedForwardLayer TransformerLayer TransformerModel TransformerSchedule TransformerStack UniformLabelSmoother
    VocabFileTokenizer WeightedSumLayer
"""
CLASSES = set(_CLASSES.split())
