HEAD='''// SPDX-License-Identifier: GPL-2.0
/*
 * %s
 */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_pgd;
%s	spinlock_t ept_pointer_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	hpa_t hv_tlb_pgd;
};

static inline int hv_remote_flush_pgd(u64 root, struct kvm_tlb_range *range)
{
	if (range)
		return hyperv_flush_guest_mapping_range(root,
				kvm_fill_hv_flush_list_func, (void *)range);

	return hyperv_flush_guest_mapping(root);
}

'''
LOAD='''
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level));

	spin_lock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->hv_tlb_pgd = root;
	%s;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}
'''
SPEC='''/* %s */
spec %s {
	variant "%s.c";
	operations {
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}
	boot { to_vmx(vcpu)->hv_tlb_pgd = INVALID_PAGE; }
	cache when %s is to_kvm_vmx(kvm)->hv_tlb_pgd;
	bounds { vcpus 1..3; loads 2; flushes 2; flushers 1; }
	assume load_flushes;
	expect {
%s	}
}
'''
CLAIMS='coverage no_repeat no_bogus no_wasted failure_kept failure_true converges cache_sound range_kept lock_balanced no_deadlock no_race no_uninit'.split()
def put(name, about, helper, decl, walk, extra='\tbool hv_tlb_pgd_valid;\n', when='to_kvm_vmx(kvm)->hv_tlb_pgd_valid', drop='kvm_vmx->hv_tlb_pgd_valid = false', load=LOAD, **expect):
    body=HEAD%(about.replace('\n','\n * '),extra)+helper+'''int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
'''+decl+'''
	spin_lock(&kvm_vmx->ept_pointer_lock);

'''+walk+'''
	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}
'''+(load%drop if '%s' in load else load)
    open(name+'.c','w').write(body)
    ex=''.join('\t\t%s %s;\n'%(c,expect.get(c,'proved for every')) for c in CLAIMS)
    open(name+'.spec','w').write(SPEC%(about.split('.')[0].replace('\n',' ')+'.',name,name,when,ex))
def seen(name,typ,loop):
    return '''static bool %s(struct kvm *kvm, %s, u64 root)
{
	%s j;

	for (%s) {
		if (to_vmx(kvm_get_vcpu(kvm, j))->hv_tlb_pgd == root)
			return true;
	}
	return false;
}

'''%(name,', '.join(typ+' '+x for x in (('i',) if 'n' not in loop else ('i','n'))),typ,loop)
def dedup(loop,call):
    return '''	if (!kvm_vmx->hv_tlb_pgd_valid) {
		nr_roots = 0;
		%s {
			root = to_vmx(kvm_get_vcpu(kvm, i))->hv_tlb_pgd;
			if (!VALID_PAGE(root) || %s)
				continue;

			if (++nr_roots == 1)
				kvm_vmx->hv_tlb_pgd = root;
			if (!ret)
				ret = hv_remote_flush_pgd(root, range);
		}
		kvm_vmx->hv_tlb_pgd_valid = nr_roots == 1;
	} else {
		ret = hv_remote_flush_pgd(kvm_vmx->hv_tlb_pgd, range);
	}
'''%(loop,call)
def decl(typ,names='i, n = atomic_read(&kvm->online_vcpus)'):
    return '\t%s %s;\n\tint ret = 0, nr_roots;\n\tu64 root;\n'%(typ,names)
put('for_up','The vCPUs are walked by number, upwards, up to a number that was read once.\nA helper looks back over those before.',
  seen('seen_before','int','j = 0; j < i; j++'),decl('int'),dedup('for (i = 0; i < n; i++)','seen_before(kvm, i, root)'))
put('for_unsigned','The numbers of vCPUs have no sign.\nA helper looks back over those before.',
  seen('seen_before','unsigned int','j = 0; j < i; j++'),decl('unsigned int'),dedup('for (i = 0; i < n; i++)','seen_before(kvm, i, root)'))
put('for_down','The vCPUs are walked by number, downwards.\nA helper looks at those after.',
  seen('seen_after','int','j = i + 1; j < n; j++'),decl('int'),dedup('for (i = n - 1; i >= 0; i--)','seen_after(kvm, i, n, root)'))
put('while_left','As many vCPUs are left as a number says that goes down to zero.\nA helper looks at those after.',
  seen('seen_after','int','j = n - 1; j > i; j--'),decl('int','i = atomic_read(&kvm->online_vcpus), n = i'),dedup('while (i-- > 0)','seen_after(kvm, i, n, root)'))
put('to_the_last','The walk ends with the last vCPU, the number of which is kept.\nA helper looks back over those before, the nearest first.',
  seen('seen_before','int','j = i - 1; j >= 0; j--'),decl('int','i, last = atomic_read(&kvm->online_vcpus) - 1'),dedup('for (i = 0; i <= last; i++)','seen_before(kvm, i, root)'))
put('number_anew','The number of vCPUs is read in each round, and the walk ends where it is met.',
  seen('seen_before','int','j = 0; j != i; j++'),decl('int','i'),dedup('for (i = 0; i != atomic_read(&kvm->online_vcpus); i++)','seen_before(kvm, i, root)'))
put('unsigned_down','The vCPUs are walked downwards by a number that has no sign.\nA helper looks at those after.',
  seen('seen_after','unsigned int','j = i + 1; j < n; j++'),decl('unsigned int'),dedup('for (i = n; i-- > 0; )','seen_after(kvm, i, n, root)'))
